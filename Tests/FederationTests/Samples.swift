import Federation

/// Small values for the tests of decisions.
enum Samples {
    static let sites = ["a/one", "b/two", "c/three"].map { SiteID($0)! }
    static let campaign = CampaignID("C1")!
    static let base = ModelReference(digest: digest(1), layout: digest(2), byteCount: 1000)
    static let start = Timestamp(milliseconds: 1_000_000)

    static func digest(_ byte: UInt8) -> Digest { Digest([UInt8](repeating: byte, count: 32))! }

    /// Different for every site and every round.
    private static func ownDigest(of site: SiteID, round: Int) -> Digest {
        let name = Array("\(round) \(site)".utf8.prefix(32))
        return Digest(name + [UInt8](repeating: 0, count: 32 - name.count))!
    }

    static func plan(
        rounds: Int = 2,
        quorum: Int = 2,
        attempts: Int = 2,
        extensions: Extensions = .none,
        staleness: StalenessPolicy = .refused,
        retentionSeconds: Int = 0
    ) -> Plan {
        Plan(
            campaign: campaign,
            base: ModelName("FY2026")!,
            release: ModelName("FY2027")!,
            model: base,
            sites: sites,
            rounds: rounds,
            quorum: quorum,
            recruitingSeconds: 30,
            deadlineSeconds: 100,
            maximumAttempts: attempts,
            extensions: extensions,
            staleness: staleness,
            retentionSeconds: retentionSeconds,
            strategy: .fedAvgM(learningRate: 1, momentum: 0.7),
            bounds: Bounds(weight: 100, norm: 10),
            training: Training(localSteps: 10, batch: 32, learningRate: 1e-3)
        )
    }

    static func update(
        of site: SiteID,
        round: Int = 1,
        attempt: Int = 1,
        model: Digest = base.digest,
        adapter: Digest? = nil,
        samples: UInt32 = 50,
        layout: Digest = base.layout,
        content: UInt8? = nil
    ) -> SignedUpdate {
        let manifest = UpdateManifest(
            campaign: campaign,
            key: RoundKey(round: round, attempt: attempt),
            site: site,
            model: model,
            adapter: adapter,
            update: content.map(digest) ?? ownDigest(of: site, round: round),
            updateByteCount: 900,
            layout: layout,
            samples: samples,
            localLoss: 0.5,
            createdAt: start
        )
        return SignedUpdate(manifest: manifest, manifestBytes: [1], signature: [2], certificate: [3])
    }

    static func submission(_ update: SignedUpdate, inspection: Inspection = .sound(norm: 1)) -> Submission {
        Submission(sender: update.manifest.site, update: update, inspection: inspection)
    }

    /// A consortium whose campaign is open.
    static func machine(_ plan: Plan = plan(), at time: Timestamp = start) throws -> (CoordinatorMachine, [Entry]) {
        let genesis = Genesis(
            consortium: "t",
            authority: digest(9),
            logKey: [],
            coordinatorCertificate: [],
            logKeySignature: []
        )
        var entries = [
            Entry(at: time, .founded(genesis)), Entry(at: time, .modelRegistered(ModelName("FY2026")!, base, by: "")),
        ]
        var state = ConsortiumState()
        for entry in entries { try state.apply(entry) }
        var machine = CoordinatorMachine(state: state)
        entries += try machine.open(plan, by: "operator/o", at: time).entries
        return (machine, entries)
    }
}

extension [CoordinatorMachine.Effect] {
    var entries: [Entry] { compactMap { if case .record(let entry) = $0 { entry } else { nil } } }
    var answers: [SubmissionAnswer] { compactMap { if case .answer(_, let answer) = $0 { answer } else { nil } } }
    var tasks: [AggregationTask] { compactMap { if case .aggregate(let task) = $0 { task } else { nil } } }
}

extension Timestamp {
    static func + (time: Timestamp, seconds: Int) -> Timestamp { time.adding(seconds: seconds) }
}
