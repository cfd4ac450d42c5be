import Federation
import Foundation
import Ledger
import Releases
import Tensors
import Transport
import Verification
import Wire

/// The operators' requests, and the questions that every client may ask.
extension CoordinatorService {
    /// Sends a request that results in a ledger entry, and returns the entry's index.
    func recorded(_ request: CoordinatorRequest) async throws -> UInt64 {
        guard case .recorded(let index) = try await ask(request) else {
            throw Refusal(.unavailable, "the coordinator did not answer")
        }
        return index
    }

    /// Runs `body` when everything decided so far is on the disk; returns its result or throws its error.
    func readDurableOrThrow<Found: Sendable>(
        _ body: @escaping @Sendable (CoordinatorDriver) throws -> Found
    ) async throws -> Found {
        try await readDurable { driver in Result { try body(driver) } }.get()
    }

    func open(_ plan: Plan, by name: String, abandonsRelease: Bool) async throws -> ServerMessage {
        if let index = await readDurable({ $0.machine.opening(of: plan) }) {
            return .campaignAccepted(plan.campaign, index: index)
        }
        // Asked first: the plan's base may be just the release that was not cut.
        if !abandonsRelease { try await readDurableOrThrow { try $0.requireReleased() } }
        try await requireSound(plan)
        let request = CoordinatorRequest.open(plan, by: name, abandonsRelease: abandonsRelease)
        return .campaignAccepted(plan.campaign, index: try await recorded(request))
    }

    /// Checks whether a campaign could be opened with this plan if none were running; the answer is the status.
    func check(_ plan: Plan, abandonsRelease: Bool) async throws -> ServerMessage {
        let (opening, violation) = await readDurable { ($0.machine.opening(of: plan), $0.machine.problem(of: plan)) }
        guard opening == nil else { return .status(await status(of: plan.sites)) }
        if !abandonsRelease { try await readDurableOrThrow { try $0.requireReleased() } }
        try await requireSound(plan)
        if let violation {
            throw Refusal(
                .conflict,
                "a campaign cannot be opened with this plan: it \(violation.message)",
                hint: "choose another name, or see kumiai campaign status"
            )
        }
        return .status(await status(of: plan.sites))
    }

    /// Throws unless the plan's base model is registered and sites can train it as the plan says.
    private func requireSound(_ plan: Plan) async throws {
        let models = await readDurable { $0.machine.state.models }
        guard let base = models[plan.base] else {
            let known = models.keys.map(\.text).sorted().suffix(10).joined(separator: ", ")
            throw Refusal(
                .notFound,
                "base: there is no model \(plan.base)",
                hint: "use one of these in the plan: \(known)"
            )
        }
        let blobs = blobs
        // This reads the whole base model, so it runs on a worker thread.
        let problem = try await workers.runIfActive {
            try plan.problems.first
                ?? PlanCompatibility.problems(of: plan, base: SafetensorsFile(blobs, base.digest)).first
        }
        if let problem {
            throw Refusal(
                .invalid,
                "\(problem.key): \(problem.message)",
                hint: "correct the plan and open the campaign again"
            )
        }
    }

    /// - Parameter adapterRank: The rank of the adapter to write beside the model; 0 for none.
    func cut(_ name: ModelName, round: Int?, adapterRank: Int, by operatorName: String) async throws -> ServerMessage {
        let (former, training) = await readDurable { driver in
            (driver.machine.state.releases.first { $0.name == name }, driver.machine.state.campaign?.plan.training)
        }
        if former == nil { try check(adapterRank, training) }
        if let former, let round, former.round != round {
            throw Refusal(
                .conflict,
                "\(name) was already cut from \(former.round.map { "round \($0)" } ?? "the last round")",
                hint: "a release can be cut only once"
            )
        }
        let cutting: ReleaseCutting
        if let former { cutting = former } else { cutting = try await recordCut(name, round: round, by: operatorName) }
        let release = ReleaseDirectory(path: "\(files.releases)/\(name)")
        if !FileManager.default.fileExists(atPath: release.path) {
            try await write(cutting, to: release.path, adapterRank: adapterRank)
        }
        let report = try release.adapterReport()
        guard adapterRank == 0 || report?.rank == adapterRank else {
            throw Refusal(
                .conflict,
                "\(name) already exists \(report.map { "with an adapter of rank \($0.rank)" } ?? "without an adapter")",
                hint: "kumiai adapter extract creates one from the base and the release"
            )
        }
        return .releaseReady(
            name,
            model: cutting.model.digest,
            directory: release.path,
            discardedEnergy: report?.discarded
        )
    }

    private func check(_ adapterRank: Int, _ training: Training?) throws {
        guard adapterRank == 0 || training?.lora != nil else {
            throw Refusal(
                .conflict,
                "the campaign's plan has no adapters",
                hint: "kumiai adapter extract creates one from any two models"
            )
        }
    }

    private func recordCut(_ name: ModelName, round: Int?, by operatorName: String) async throws -> ReleaseCutting {
        let (campaign, layout, record) = try await readDurableOrThrow { driver in
            guard let campaign = driver.machine.state.campaign, let layout = campaign.plan.model?.layout else {
                throw Refusal(.notFound, "there is no campaign to release", hint: "open one: kumiai campaign open")
            }
            try driver.requireStartupWaitOver()
            return (
                campaign, layout,
                round.flatMap { driver.machine.state.archive.record(of: campaign.plan.campaign, round: $0) }
            )
        }
        let model = try await result(of: campaign, record)
        let cutting = ReleaseCutting(
            name: name,
            campaign: campaign.plan.campaign,
            model: ModelReference(digest: model.digest, layout: layout, byteCount: model.byteCount),
            cutBy: operatorName,
            round: round
        )
        _ = try await recorded(.cut(cutting))
        return cutting
    }

    /// Returns the resulting model of a campaign or of one of its rounds, with the adapter, if any, folded in.
    private func result(of campaign: CampaignState, _ record: RoundArchive.Record?) async throws -> BlobReference {
        guard let record else {
            return BlobReference(digest: campaign.current.model, byteCount: campaign.current.modelByteCount)
        }
        guard campaign.end != nil, record.result.adapter != nil else {
            return BlobReference(digest: record.result.model, byteCount: record.result.modelByteCount)
        }
        let aggregation = RoundAggregation(blobs: blobs, threads: configuration.aggregationThreads)
        let outcome = try await workers.runIfActive { [ledger] in
            aggregation.attempt(
                try CommittedRound.task(of: record.campaign, round: record.round, in: ledger.entries()).asLast
            )
        }
        switch outcome {
        case .done(let state): return BlobReference(digest: state.model, byteCount: state.modelByteCount)
        case .lost(let reason, _), .blocked(let reason):
            throw Refusal(
                .unavailable,
                "round \(record.round) cannot be computed with its adapter folded in: \(reason)",
                hint: "restore what is missing from a backup"
            )
        }
    }

    /// Writes the release. Copying a large model and decomposing its change takes minutes, so this runs on a worker
    /// thread.
    private func write(_ cutting: ReleaseCutting, to path: String, adapterRank: Int) async throws {
        guard releasesInProgress.insert(cutting.name).inserted else {
            throw Refusal(
                .unavailable,
                "\(cutting.name) is being written",
                hint: "writing continues in the background; repeat the command later"
            )
        }
        defer { releasesInProgress.remove(cutting.name) }
        let lineage = try await workers.runIfActive { [ledger] in
            try Lineage(entries: ledger.entries(), of: cutting.name, treeHead: ledger.head.note)
        }
        try check(adapterRank, lineage.training)
        let (blobs, identity, lora) = (blobs, identity, adapterRank == 0 ? nil : lineage.training.lora)
        try await workers.runIfActive {
            // Verify first: a byte that has rotted since the last round would otherwise be signed with the rest.
            for digest in [cutting.model.digest] + (lora == nil ? [] : [lineage.baseDigest]) {
                do { try blobs.verify(digest) } catch {
                    throw Refusal(
                        .unavailable,
                        "\(cutting.name) cannot be written: \(describe(error))",
                        hint: "restore that blob from a backup, and cut the release again"
                    )
                }
            }
            // The campaign's change as an adapter on its base model, for the modules that the plan adapts.
            let adapter = try lora.map { lora in
                try AdapterExtraction(
                    from: SafetensorsFile(blobs, lineage.baseDigest),
                    to: SafetensorsFile(blobs, cutting.model.digest),
                    rank: adapterRank,
                    alpha: lora.scale * Double(adapterRank),
                    targets: lora.targets
                )
            }
            _ = try ReleaseDirectory.write(
                to: path,
                lineage: lineage,
                model: { try blobs.export(cutting.model.digest, to: $0) },
                adapter: adapter,
                chain: identity.chain,
                key: identity.key
            )
        }
        // The release was signed again, so cached facts about an earlier copy no longer apply.
        releaseFiles[cutting.name] = nil
        logger.info("release cut", metadata: ["release": "\(cutting.name)", "model": "\(cutting.model.digest.short)"])
    }

    /// Removes the blobs of rounds whose retention period has passed. The entry is durable before the first file is
    /// removed.
    func prune(by operatorName: String, dryRun: Bool) async throws -> ServerMessage {
        let time = now()
        let (rounds, going) = await readDurable { $0.pruning(at: time) }
        let report = try await workers.runIfActive { [blobs] in
            let present = going.filter(blobs.contains)
            return RemovalReport(
                rounds: rounds,
                blobs: present.count,
                byteCount: present.reduce(0) { $0 + (blobs.byteCount(of: $1) ?? 0) }
            )
        }
        if !dryRun { _ = try await ask(.prune(by: operatorName)) }
        return .updatesRemoved(report)
    }

    // MARK: Status

    /// The facts that a status contains, all taken at the same moment.
    struct StatusFacts: Sendable {
        var report: StatusReport
        let problems: (decisions: [String], startupWait: String?)
        let notices: [ExpiryNotice]
        let isDiskFull: Bool
    }

    /// - Parameter named: Sites to report on in addition to the connected ones; if `nil`, the campaign's sites.
    nonisolated func status(of named: [SiteID]? = nil) async -> StatusReport {
        let facts = await statusFacts(of: named)
        var report = facts.report
        report.problems = await problems(facts)
        return report
    }

    private func statusFacts(of named: [SiteID]?) async -> StatusFacts {
        let (time, consortium, seen, refused) = (now(), configuration.consortium, seenSites, refusedSites)
        let (report, problems) = await readDurable { driver in
            (
                driver.status(of: named, consortium: consortium, seen: seen, refused: refused, at: time),
                driver.problems(at: time)
            )
        }
        return StatusFacts(report: report, problems: problems, notices: certificateNotices, isDiskFull: isDiskFull)
    }

    /// Returns the size of the largest update that a site may upload now; `nil` if no campaign accepts updates from it.
    func uploadLimit(for site: SiteID) async -> UInt64? { await readDurable { $0.uploadLimit(for: site) } }
}
