import Federation
import Foundation
import Ledger
import Releases
import Wire

/// The operators' verbs, and what everybody may ask.
extension CoordinatorService {
    func open(_ plan: Plan, by name: String) throws -> ServerMessage {
        if let problem = plan.problems.first {
            throw Refusal(.invalid, "\(problem.key): \(problem.message)", hint: "mend the plan and open the campaign again")
        }
        do {
            try decideOrThrow { core, now in try core.decide { try $0.open(plan, by: name, at: now) } }
        } catch let error as LedgerViolation {
            throw Refusal(.conflict, "a campaign cannot be opened now: the request \(error.message)", hint: "see kumiai campaign status")
        }
        logger.info("campaign opened", metadata: ["campaign": "\(plan.campaign)", "by": "\(name)"])
        return .campaignAccepted(plan.campaign, index: UInt64(ledger.count - 1))
    }

    func cut(_ name: ModelName, by operatorName: String) throws -> ServerMessage {
        let cutting = try machine.state.releases.first { $0.name == name } ?? recordCut(name, by: operatorName)
        let path = "\(files.releases)/\(name)"
        if !FileManager.default.fileExists(atPath: path) { try write(cutting, to: path) }
        return .releaseReady(name, model: cutting.model.digest, directory: path)
    }

    private func recordCut(_ name: ModelName, by operatorName: String) throws -> ReleaseCutting {
        guard let campaign = machine.state.campaign, let model = campaign.plan.model else {
            throw Refusal(.notFound, "there is no campaign to release", hint: "open one: kumiai campaign open")
        }
        let cutting = ReleaseCutting(
            name: name, campaign: campaign.plan.campaign,
            model: ModelReference(digest: campaign.current.model, layout: model.layout, byteCount: campaign.current.modelByteCount),
            cutBy: operatorName)
        do {
            try decideOrThrow { core, now in try core.decide { try $0.cut(cutting, at: now) } }
        } catch let error as LedgerViolation {
            throw Refusal(.conflict, "\(name) cannot be cut: the request \(error.message)", hint: "see kumiai campaign status")
        }
        return cutting
    }

    private func write(_ cutting: ReleaseCutting, to path: String) throws {
        let entries = try (0..<ledger.count).map { try ledger.entry(at: $0) }
        let lineage = try Lineage(entries: entries, of: cutting.name, treeHead: ledger.head.note)
        _ = try ReleaseDirectory.write(
            to: path, lineage: lineage, model: blobs.path(of: cutting.model.digest), chain: identity.chain, key: identity.key)
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
        if !dryRun { try decideOrThrow { core, now in try core.decide { $0.prune(by: operatorName, at: now) } } }
        return .updatesRemoved(report)
    }

    func status() -> StatusReport {
        let campaign = machine.state.campaign
        let sites = Set(campaign?.plan.sites ?? []).union(presence.keys).sorted()
        return StatusReport(
            consortium: configuration.consortium, time: now(), ledgerEntries: UInt64(ledger.count),
            treeHead: ledger.head.note, campaign: campaign?.report,
            sites: sites.map { site in
                SiteReport(
                    site: site, isConnected: presence[site]?.isConnected ?? false,
                    heartbeat: presence[site]?.heartbeat ?? Heartbeat(),
                    updatesAccepted: campaign?.acceptedBySite[site] ?? 0, updatesRefused: campaign?.refusedBySite[site] ?? 0,
                    lastSeen: presence[site]?.lastSeen)
            }, models: machine.state.models.keys.sorted().map(\.text))
    }

    /// Whether a site may fetch this blob: global models, never another site's update.
    func mayFetch(_ digest: Digest) -> Bool {
        guard let campaign = machine.state.campaign else { return machine.state.models.values.contains { $0.digest == digest } }
        return campaign.current.model == digest || campaign.round.start.model == digest
            || machine.state.models.values.contains { $0.digest == digest }
    }

    /// The largest update that a site may upload now; `nil` where no campaign takes updates of it.
    func uploadLimit(for site: SiteID) -> UInt64? {
        guard let campaign = machine.state.campaign, campaign.end == nil, campaign.plan.sites.contains(site), let model = campaign.plan.model
        else { return nil }
        return model.byteCount + UInt64(CoordinatorLimits.headerSlackBytes)
    }
}
