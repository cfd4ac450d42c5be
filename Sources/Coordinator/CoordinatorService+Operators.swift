import Federation
import Foundation
import Ledger
import Releases
import Tensors
import Transport
import Verification
import Wire

/// The operators' verbs, and what everybody may ask.
extension CoordinatorService {
    func open(_ plan: Plan, by name: String) async throws -> ServerMessage {
        if let index = machine.opening(of: plan) { return .campaignAccepted(plan.campaign, index: index) }
        try await requireSound(plan)
        try requireHeard()
        // It may have been opened by another request meanwhile.
        if let index = machine.opening(of: plan) { return .campaignAccepted(plan.campaign, index: index) }
        do {
            try decideOrThrow { core, now in try core.decide { try $0.open(plan, by: name, at: now) } }
        } catch let error as LedgerViolation {
            let isNamed = machine.state.campaign?.end != nil && machine.state.isNamed(plan.campaign)
            throw Refusal(
                .conflict, "a campaign cannot be opened now: the request \(error.message)",
                hint: isNamed ? "that campaign has ended: give this one another name, with campaign = in its plan" : "see kumiai campaign status")
        }
        knowSites()
        presence.values.forEach { $0.forgetLoss() }
        logger.info("campaign opened", metadata: ["campaign": "\(plan.campaign)", "by": "\(name)"])
        return .campaignAccepted(plan.campaign, index: machine.state.campaign!.opening.index)
    }

    /// Whether a campaign could be opened by this plan, once none runs; answered with the status.
    func check(_ plan: Plan) async throws -> ServerMessage {
        guard machine.opening(of: plan) == nil else { return .status(status(of: plan.sites)) }
        try await requireSound(plan)
        if let violation = machine.problem(of: plan) {
            throw Refusal(
                .conflict, "a campaign cannot be opened by this plan: it \(violation.message)", hint: "choose another name, or see kumiai campaign status")
        }
        return .status(status(of: plan.sites))
    }

    /// The plan's base is registered, and sites can train it as the plan says.
    private func requireSound(_ plan: Plan) async throws {
        guard let base = machine.state.models[plan.base] else {
            let known = machine.state.models.keys.map(\.text).sorted().suffix(10).joined(separator: ", ")
            throw Refusal(.notFound, "base: there is no model \(plan.base)", hint: "name one of these in the plan: \(known)")
        }
        let blobs = blobs
        // Reads all of the base: the coordinator goes on meanwhile.
        let problem = try await workers.runIfActive { try plan.problems.first ?? PlanFit.problems(of: plan, base: SafetensorsFile(blobs, base.digest)).first }
        if let problem {
            throw Refusal(.invalid, "\(problem.key): \(problem.message)", hint: "correct the plan and open the campaign again")
        }
    }

    /// Stops, pauses, resumes or amends the campaign. The same change again, after a lost answer, is answered as the first time.
    func change(_ change: CampaignChange) throws -> ServerMessage {
        if let index = machine.record(of: change) { return .recorded(index: index) }
        try requireHeard()
        do {
            try decideOrThrow { core, now in try core.decide { try $0.change(change, at: now) } }
        } catch let error as LedgerViolation {
            let hint = change.action.name == "amend" ? "sites and the quorum can be changed in one command: --drop, --add, --quorum; " : ""
            throw Refusal(.conflict, "\(change.campaign) cannot be changed: the request \(error.message)", hint: hint + "see kumiai campaign status")
        }
        knowSites()
        return .recorded(index: machine.state.campaign!.lastChange!.index)
    }

    /// `adapterRank`: of the adapter beside the model; 0: none.
    func cut(_ name: ModelName, round: Int?, adapterRank: Int, by operatorName: String) async throws -> ServerMessage {
        let former = machine.state.releases.first { $0.name == name }
        if former == nil { try check(adapterRank, machine.state.campaign?.plan.training) }
        if let former, let round, former.round != round {
            throw Refusal(.conflict, "\(name) was cut before, of \(former.round.map { "round \($0)" } ?? "the last round")", hint: "a release is cut once")
        }
        let cutting: ReleaseCutting
        if let former { cutting = former } else { cutting = try await recordCut(name, round: round, by: operatorName) }
        let release = ReleaseDirectory(path: "\(files.releases)/\(name)")
        if !FileManager.default.fileExists(atPath: release.path) { try await write(cutting, to: release.path, adapterRank: adapterRank) }
        let report = try release.adapterReport()
        guard adapterRank == 0 || report?.rank == adapterRank else {
            throw Refusal(
                .conflict, "\(name) was cut before, \(report.map { "with an adapter of rank \($0.rank)" } ?? "without an adapter")",
                hint: "kumiai adapter extract makes one from the base and the release")
        }
        return .releaseReady(name, model: cutting.model.digest, directory: release.path, discardedEnergy: report?.discarded)
    }

    private func check(_ adapterRank: Int, _ training: Training?) throws {
        guard adapterRank == 0 || training?.lora != nil else {
            throw Refusal(.conflict, "the campaign's plan has no adapters", hint: "kumiai adapter extract makes one from any two models")
        }
    }

    private func recordCut(_ name: ModelName, round: Int?, by operatorName: String) async throws -> ReleaseCutting {
        guard let campaign = machine.state.campaign, let layout = campaign.plan.model?.layout else {
            throw Refusal(.notFound, "there is no campaign to release", hint: "open one: kumiai campaign open")
        }
        try requireHeard()
        let model = try await result(of: campaign, round: round)
        let cutting = ReleaseCutting(
            name: name, campaign: campaign.plan.campaign, model: ModelReference(digest: model.digest, layout: layout, byteCount: model.byteCount),
            cutBy: operatorName, round: round)
        do {
            try decideOrThrow { core, now in try core.decide { try $0.cut(cutting, at: now) } }
        } catch let error as LedgerViolation {
            let committed = campaign.committedRounds
            guard name == campaign.plan.release else {
                throw Refusal(.conflict, "\(name) cannot be cut: the request \(error.message)", hint: "the plan's release is \(campaign.plan.release)")
            }
            let hint =
                committed > 0
                ? "of a stopped campaign, name a committed round: --round 1 to \(committed)" : "no round of it is committed: there is nothing to cut"
            throw Refusal(.conflict, "\(name) cannot be cut: the request \(error.message)", hint: hint)
        }
        return cutting
    }

    /// The model that a campaign, or one of its rounds, came to; an adapter beside it is folded in.
    private func result(of campaign: CampaignState, round: Int?) async throws -> BlobReference {
        guard let round, let record = machine.state.archive.record(of: campaign.plan.campaign, round: round) else {
            return BlobReference(digest: campaign.current.model, byteCount: campaign.current.modelByteCount)
        }
        guard campaign.end != nil, record.result.adapter != nil else {
            return BlobReference(digest: record.result.model, byteCount: record.result.modelByteCount)
        }
        let entries = try ledger.entries()
        let aggregation = RoundAggregation(blobs: blobs, threads: configuration.aggregationThreads)
        let outcome = try await workers.runIfActive {
            aggregation.attempt(try CommittedRound.task(of: campaign.plan.campaign, round: round, in: entries).asLast)
        }
        switch outcome {
        case .done(let state): return BlobReference(digest: state.model, byteCount: state.modelByteCount)
        case .lost(let reason, _), .blocked(let reason):
            throw Refusal(
                .unavailable, "round \(round) cannot be computed with its adapter folded in: \(reason)", hint: "restore what is missing from a backup")
        }
    }

    /// Copying a large model, and decomposing its change, takes minutes: the coordinator goes on meanwhile.
    private func write(_ cutting: ReleaseCutting, to path: String, adapterRank: Int) async throws {
        guard releasesInProgress.insert(cutting.name).inserted else {
            throw Refusal(.unavailable, "\(cutting.name) is being written", hint: "it goes on by itself; cut it again in a while")
        }
        defer { releasesInProgress.remove(cutting.name) }
        let lineage = try Lineage(entries: ledger.entries(), of: cutting.name, treeHead: ledger.head.note)
        try check(adapterRank, lineage.training)
        let (blobs, identity, lora) = (blobs, identity, adapterRank == 0 ? nil : lineage.training.lora)
        try await workers.runIfActive {
            // A byte that rotted since the last round would be signed with the rest.
            for digest in [cutting.model.digest] + (lora == nil ? [] : [lineage.baseDigest]) {
                do { try blobs.verify(digest) } catch {
                    throw Refusal(
                        .unavailable, "\(cutting.name) cannot be written: \(describe(error))",
                        hint: "restore that blob from a backup, and cut the release again")
                }
            }
            // The campaign's change as an adapter on its base, in the modules that the plan adapts.
            let adapter = try lora.map { lora in
                try AdapterExtraction(
                    from: SafetensorsFile(blobs, lineage.baseDigest), to: SafetensorsFile(blobs, cutting.model.digest), rank: adapterRank,
                    alpha: lora.scale * Double(adapterRank), targets: lora.targets)
            }
            _ = try ReleaseDirectory.write(
                to: path, lineage: lineage, model: blobs.path(of: cutting.model.digest), adapter: adapter, chain: identity.chain, key: identity.key)
        }
        // It is signed anew: what was known of an earlier copy is not of this one.
        releaseFiles[cutting.name] = nil
        logger.info("release cut", metadata: ["release": "\(cutting.name)", "model": "\(cutting.model.digest.short)"])
    }

    /// Gives up the blobs of rounds whose retention has passed. The entry is durable before the first file goes.
    func prune(by operatorName: String, dryRun: Bool) throws -> ServerMessage {
        let before = machine.state
        var preview = machine
        _ = preview.prune(by: operatorName, at: now())
        let going = preview.state.prunedBlobs.subtracting(before.prunedBlobs).filter(blobs.contains)
        let report = RemovalReport(
            rounds: preview.state.archive.prunedCount - before.archive.prunedCount, blobs: going.count,
            byteCount: going.reduce(0) { $0 + (blobs.byteCount(of: $1) ?? 0) })
        guard !dryRun else { return .updatesRemoved(report) }
        try requireHeard()
        try decideOrThrow { core, now in try core.decide { $0.prune(by: operatorName, at: now) } }
        return .updatesRemoved(report)
    }

    /// `named`: sites to report on beside the connected ones; without them, the campaign's.
    func status(of named: [SiteID]? = nil) -> StatusReport {
        let campaign = machine.state.campaign
        let contributors = machine.state.contributors
        let present = Set(presence.filter(\.value.isConnected).keys)
        let sites = present.union(named ?? campaign?.plan.sites ?? []).sorted()
        return StatusReport(
            consortium: configuration.consortium, time: now(), ledgerEntries: UInt64(ledger.count),
            treeHead: ledger.head.note, campaign: campaign?.report(present: present),
            sites: sites.map { site in
                SiteReport(
                    site: site, isConnected: presence[site]?.isConnected ?? false,
                    heartbeat: presence[site]?.heartbeat ?? Heartbeat(),
                    updatesAccepted: campaign?.acceptedBySite[site] ?? 0, updatesRefused: campaign?.refusedBySite[site] ?? 0,
                    lastSeen: presence[site]?.lastSeen, certificateEnds: presence[site]?.certificate?.notAfter,
                    isKnown: seenSites.contains(site) || contributors.contains(site), absence: absence(of: site))
            }, models: machine.state.models.keys.sorted().map(\.text), troubles: troubles)
    }

    private func absence(of site: SiteID) -> String {
        guard presence[site]?.isConnected != true, let refusal = refusedSites[site] else { return "" }
        return "\(refusal.reason) (\(refusal.at.text))"
    }

    /// Whether a site may fetch this blob: global models, never another site's update.
    func mayFetch(_ digest: Digest) -> Bool {
        guard let campaign = machine.state.campaign else { return machine.state.models.values.contains { $0.digest == digest } }
        return [campaign.current, campaign.round.start].contains { $0.model == digest || $0.adapter?.digest == digest }
            || machine.state.models.values.contains { $0.digest == digest }
    }

    /// The largest update that a site may upload now; `nil` where no campaign takes updates of it.
    func uploadLimit(for site: SiteID) -> UInt64? {
        guard let campaign = machine.state.campaign, campaign.end == nil, campaign.plan.sites.contains(site), let model = campaign.plan.model
        else { return nil }
        return model.byteCount + UInt64(CoordinatorLimits.headerSlackBytes)
    }
}
