import Federation
import Testing

@testable import Wire

/// Domain values to bytes and back, and invalid bytes.
@Suite struct WireTests {
    static func digest(_ byte: UInt8) -> Digest { Digest([UInt8](repeating: byte, count: 32))! }
    static let site = SiteID("acme/osaka")!
    static let time = Timestamp(milliseconds: 1_700_000_000_123)
    static let model = ModelReference(digest: digest(1), layout: digest(2), byteCount: 77)
    static let key = RoundKey(round: 3, attempt: 2)
    static let plan = Plan(
        campaign: CampaignID("C")!,
        base: ModelName("A")!,
        release: ModelName("B")!,
        model: model,
        sites: [site],
        rounds: 4,
        quorum: 1,
        extensions: Extensions(seconds: 5, maximum: 2),
        staleness: StalenessPolicy(rounds: 3, weightPercent: 50),
        retentionSeconds: 1 << 20,
        strategy: .fedAvgM(learningRate: 0.5, momentum: 0.7),
        bounds: Bounds(weight: 9, norm: 3),
        training: Training(localSteps: 1, batch: 2, learningRate: 3, seed: .max)
    )
    /// Every strategy, compression, schedule and aggregation of adapters.
    static let plans: [Plan] = {
        let moments = AdaptiveMoments(learningRate: 0.1, beta1: 0.2, beta2: 0.3, adaptivity: 0.4)
        let strategies: [Strategy] = [
            .fedAvg(learningRate: 1), .nesterov(learningRate: 0.7, momentum: 0.9), .fedAdam(moments), .fedYogi(moments),
        ]
        let compressions: [Compression] = [.none, .bfloat16, .int8(block: 64), .topK(fraction: 0.125)]
        let schedules = RateSchedule.Shape.allCases.map { RateSchedule($0, decayTo: 0.25, warmupRounds: 2) }
        let loras = LoRA.Aggregation.allCases.map {
            LoRA(rank: 4, alpha: 8.5, targets: ["qkv", "fc1"], aggregation: $0)
        }
        return (0..<4).map { index in
            var plan = plan
            plan.strategy = strategies[index]
            plan.training = Training(
                localSteps: 0,
                localEpochs: 3,
                batch: 2,
                learningRate: 3,
                schedule: schedules[index % 3],
                proximal: 0.5,
                lora: loras[index]
            )
            plan.compression = compressions[index]
            return plan
        }
    }()
    static let manifest = UpdateManifest(
        campaign: CampaignID("C")!,
        key: key,
        site: site,
        model: digest(1),
        update: digest(3),
        updateByteCount: 5,
        layout: digest(2),
        samples: 7,
        localLoss: 0.25,
        createdAt: time
    )
    static let update = SignedUpdate(
        manifest: manifest,
        manifestBytes: manifest.wireBytes,
        signature: [1, 2],
        certificate: [3, 4]
    )
    static let end = CampaignEnd(campaign: CampaignID("C")!, completed: true, reason: "done", model: digest(8))

    static let bodies: [Entry.Body] = decisions + refusals
    private static let refusals: [Entry.Body] = UpdateRefusal.Reason.allCases.map {
        .updateRefused(RefusedUpdate(site: site, key: key, digest: digest(1), refusal: UpdateRefusal($0, "detail")))
    }
    private static let decisions: [Entry.Body] =
        [
            .founded(
                Genesis(
                    consortium: "c",
                    authority: digest(1),
                    logKey: [UInt8](repeating: 4, count: 32),
                    coordinatorCertificate: [5],
                    logKeySignature: [6]
                )
            ),
            .modelRegistered(ModelName("A")!, model, by: ""), .campaignOpened(plan, by: "operator/o"),
        ] + plans.map { .campaignOpened($0, by: "operator/o") } + [
            .roundOpened(
                RoundOpening(
                    campaign: CampaignID("C")!,
                    key: key,
                    cohort: [site],
                    model: digest(1),
                    serverState: nil,
                    deadline: time
                )
            ),
            .roundOpened(
                RoundOpening(
                    campaign: CampaignID("C")!,
                    key: key,
                    cohort: [site],
                    model: digest(1),
                    adapter: digest(5),
                    serverState: digest(2),
                    deadline: time
                )
            ),
            .updateAccepted(AcceptedUpdate(update: update, weight: 7, norm: 1.5)), .roundClosed(key),
            .roundCommitted(
                RoundCommit(
                    key: key,
                    result: GlobalState(model: digest(1), modelByteCount: 3, serverState: digest(4)),
                    scaleBits: 36,
                    totalWeight: 1 << 40
                )
            ),
            .roundCommitted(
                RoundCommit(
                    key: key,
                    result: GlobalState(
                        model: digest(1),
                        modelByteCount: 3,
                        adapter: BlobReference(digest: digest(5), byteCount: 9),
                        serverState: nil
                    ),
                    scaleBits: 36,
                    totalWeight: 1
                )
            ),
            .roundAbandoned(RoundAbandonment(key: key, reason: "why", without: [site])), .campaignEnded(end),
            .roundExtended(RoundExtension(key: key, deadline: time, reason: "why")),
            .updatesPruned(Pruning(campaign: CampaignID("C")!, throughRound: 4, prunedBy: "operator/o")),
            .releaseCut(
                ReleaseCutting(name: ModelName("B")!, campaign: CampaignID("C")!, model: model, cutBy: "operator/o")
            ),
        ]

    @Test(arguments: bodies)
    func entriesSurviveTheWire(body: Entry.Body) throws {
        let entry = Entry(at: Self.time, body)
        #expect(try Entry(wireBytes: entry.wireBytes) == entry)
    }

    @Test func noByteOfAnEntryIsReadWhereItIsCutOff() throws {
        for body in Self.bodies {
            let bytes = Entry(at: Self.time, body).wireBytes
            for count in 0..<bytes.count {
                if let entry = try? Entry(wireBytes: Array(bytes.prefix(count))) { #expect(entry.body != body) }
            }
        }
    }

    @Test func randomBytesNeverCrashTheReaders() {
        var state: UInt64 = 7
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let seeds =
            Self.bodies.map { Entry(at: Self.time, $0).wireBytes } + [
                Self.update.wireBytes, ClientFrame(id: 2, .openCampaign(Self.plan)).packed.bytes,
            ]
        for _ in 0..<20_000 {
            var bytes = seeds[Int(next()) % seeds.count]
            for _ in 0..<(1 + next() % 4) { bytes[Int(next()) % bytes.count] = UInt8(truncatingIfNeeded: next()) }
            _ = try? Entry(wireBytes: bytes)
            _ = try? SignedUpdate(wireBytes: bytes)
            _ = try? Receipt(wireBytes: bytes)
            _ = bytes.withUnsafeBytes { try? ClientFrame(unpacking: $0) }
            _ = bytes.withUnsafeBytes { try? ServerFrame(unpacking: $0) }
        }
    }

    func roundTrip(_ message: ClientMessage) throws -> ClientMessage {
        try ClientFrame(id: 9, message).packed.bytes.withUnsafeBytes { try ClientFrame(unpacking: $0).message }
    }

    func answerRoundTrip(_ message: ServerMessage) throws -> ServerMessage {
        try ServerFrame(inReplyTo: 9, message).packed.bytes.withUnsafeBytes { try ServerFrame(unpacking: $0).message }
    }

    @Test func clientMessagesSurviveTheWire() throws {
        guard case .hello(let hello) = try roundTrip(.hello(Hello(versions: 1...3, purpose: .bulk, software: "s")))
        else { throw Failed() }
        #expect(hello == Hello(versions: 1...3, purpose: .bulk, software: "s"))
        for activity in Activity.allCases {
            let beat = Heartbeat(activity: activity, round: 3, progress: 0.5, localLoss: 1, bytesUp: 2, bytesDown: 3)
            guard case .heartbeat(beat) = try roundTrip(.heartbeat(beat)) else { throw Failed() }
        }
        guard
            case .submitUpdate(Self.update, seenEntries: 7) = try roundTrip(.submitUpdate(Self.update, seenEntries: 7)),
            case .openCampaign(Self.plan, abandonsRelease: false) = try roundTrip(.openCampaign(Self.plan)),
            case .openCampaign(Self.plan, abandonsRelease: true) = try roundTrip(
                .openCampaign(Self.plan, abandonsRelease: true)
            ),
            case .checkPlan(Self.plan, abandonsRelease: true) = try roundTrip(
                .checkPlan(Self.plan, abandonsRelease: true)
            ),
            case .offerBlob(Self.digest(4), 12) = try roundTrip(.offerBlob(Self.digest(4), byteCount: 12)),
            case .fetchBlob(Self.digest(4), 13) = try roundTrip(.fetchBlob(Self.digest(4), offset: 13)),
            case .getStatus = try roundTrip(.getStatus),
            case .cutRelease(ModelName("B")!, round: 3, adapterRank: 6) = try roundTrip(
                .cutRelease(ModelName("B")!, round: 3, adapterRank: 6)
            ),
            case .goodbye("x") = try roundTrip(.goodbye(reason: "x")),
            case .blobChunk(let chunk) = try roundTrip(.blobChunk(BlobChunk(offset: 5, payload: Payload([1, 2, 3]))))
        else { throw Failed() }
        #expect(chunk.offset == 5 && chunk.payload.bytes == [1, 2, 3])
    }

    @Test func serverMessagesSurviveTheWire() throws {
        let task = TrainingTask(
            campaign: CampaignID("C")!,
            key: Self.key,
            rounds: 9,
            model: Self.model,
            deadline: Self.time,
            training: Self.plan.training
        )
        let adapted = TrainingTask(
            campaign: CampaignID("C")!,
            key: Self.key,
            rounds: 9,
            model: Self.model,
            adapter: BlobReference(digest: Self.digest(5), byteCount: 6),
            deadline: Self.time,
            training: Self.plans[3].training
        )
        for assignment in [
            Assignment.rest(reason: "r"), .train(task), .train(adapted), .finished(Self.end, model: nil),
        ] {
            guard case .assignment(assignment) = try answerRoundTrip(.assignment(assignment)) else { throw Failed() }
        }
        let receipt = Receipt(index: 4, entry: [1], proof: [Self.digest(1), Self.digest(2)], treeHead: "head")
        for code in Refusal.Code.allCases {
            guard
                case .refusal(Refusal(code, "m", hint: "h")) = try answerRoundTrip(
                    .refusal(Refusal(code, "m", hint: "h"))
                )
            else { throw Failed() }
        }
        guard
            case .receipt(receipt, consistencyProof: [Self.digest(3)]) = try answerRoundTrip(
                .receipt(receipt, consistencyProof: [Self.digest(3)])
            ),
            case .blobProgress(7, true) = try answerRoundTrip(.blobProgress(durable: 7, complete: true))
        else { throw Failed() }
        let report = StatusReport(
            consortium: "c",
            time: Self.time,
            ledgerEntries: 3,
            treeHead: "t",
            campaign: CampaignReport(
                campaign: CampaignID("C")!,
                phase: "collecting",
                key: Self.key,
                rounds: 4,
                committed: 2,
                deadline: Self.time,
                model: Self.digest(1),
                quorum: 1,
                updatesInRound: 1,
                updatesAccepted: 5,
                updatesRefused: 6,
                reason: ""
            ),
            sites: [
                SiteReport(
                    site: Self.site,
                    isConnected: true,
                    heartbeat: Heartbeat(),
                    updatesAccepted: 1,
                    updatesRefused: 2,
                    lastSeen: nil
                )
            ],
            models: ["A"]
        )
        guard case .status(report) = try answerRoundTrip(.status(report)) else { throw Failed() }
    }

    @Test func chunksAtTheLimitAreTakenAndOneByteMoreIsNot() throws {
        _ = try roundTrip(
            .blobChunk(BlobChunk(offset: 0, payload: Payload([UInt8](repeating: 1, count: WireLimits.chunkBytes))))
        )
        #expect(throws: WireError.self) {
            try roundTrip(
                .blobChunk(
                    BlobChunk(offset: 0, payload: Payload([UInt8](repeating: 1, count: WireLimits.chunkBytes + 1)))
                )
            )
        }
    }

    @Test func aSmallFrameCannotTakeMuchMemory() {
        // A plan with a million empty sites: two bytes each on the wire, a pointer and an allocation each in memory.
        let sites = (0..<2_000_000).map { UInt8($0 % 2 == 0 ? 0x3a : 0) }
        func prefixed(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
            var length = bytes.count, out = [tag]
            while length >= 0x80 {
                out.append(UInt8(length & 0x7f | 0x80))
                length >>= 7
            }
            return out + [UInt8(length)] + bytes
        }
        let frame = prefixed(0x42, prefixed(0x0a, sites))
        #expect(throws: WireError.self) { try frame.withUnsafeBytes { try ClientFrame(unpacking: $0) } }
    }

    @Test func namesAndDigestsAreCheckedBeforeUse() throws {
        var plan = Self.plan
        plan.campaign = CampaignID(unchecked: "../x")
        #expect(throws: WireError.self) { try roundTrip(.openCampaign(plan)) }
        plan = Self.plan
        plan.bounds.norm = .nan
        #expect(throws: WireError.self) { try roundTrip(.openCampaign(plan)) }
    }

    struct Failed: Error {}
}
