import Blobs
import Federation
import Foundation
import Verification

/// The recomputation of a round from its stored updates.
package struct Replay: Sendable {
    package let campaign: CampaignID
    package let task: AggregationTask
    /// The result of the round according to the ledger.
    package let recorded: GlobalState
    /// The recomputed result.
    package let computed: GlobalState
    /// A release with this round's adapter folded into its model, whose result no other entry states.
    package let release: Release?

    package struct Release: Sendable {
        package let name: ModelName
        package let recorded: Digest
        package let computed: Digest
    }

    package var isIdentical: Bool { recorded == computed && release.map { $0.recorded == $0.computed } ?? true }

    /// Recomputes the committed attempt of `round`.
    ///
    /// - Parameters:
    ///   - copy: The copy.
    ///   - round: The round's number.
    ///   - campaign: The campaign; `nil` for the newest one that has committed this round.
    ///   - threads: The number of threads.
    /// - Returns: The recorded and the recomputed results.
    /// - Throws: `AuditError` if there is no such round or its blobs are missing or damaged.
    package static func run(_ copy: LedgerCopy, round: Int, campaign: CampaignID? = nil, threads: Int = 2) throws
        -> Replay
    {
        let history = try RoundHistory(copy)
        let committed = try committedRounds(of: campaign, in: history)
        guard let record = committed.last(where: { $0.task.key.round == round }), let commit = record.commit else {
            throw notCommitted(round, of: campaign, in: history)
        }
        guard record.replayability(in: copy.blobs) != .pruned else {
            throw AuditError(
                "the updates of round \(round) of \(record.campaign) were removed after the plan's retention period",
                hint: "kumiai audit rounds shows which rounds can be replayed"
            )
        }
        return try run(record, recorded: commit.result, in: copy, threads: threads)
    }

    /// The committed rounds of a campaign, or of all campaigns if `campaign` is `nil`, in the ledger's order.
    private static func committedRounds(of campaign: CampaignID?, in history: RoundHistory) throws
        -> [RoundHistory.Record]
    {
        if let campaign, !history.campaigns.contains(campaign) {
            throw AuditError(
                "there is no campaign \(campaign)",
                hint: "kumiai audit rounds lists them",
                code: .wrongOption
            )
        }
        return history.rounds.filter { $0.commit != nil && (campaign == nil || $0.campaign == campaign) }
    }

    private static func notCommitted(_ round: Int, of campaign: CampaignID?, in history: RoundHistory) -> AuditError {
        let known = campaign.map { [$0] } ?? Array(history.campaigns.suffix(namedCampaigns))
        let rounds = known.map { name in
            let count = history.rounds.count { $0.commit != nil && $0.campaign == name }
            return "\(name): " + (count == 0 ? "no round" : count == 1 ? "round 1" : "rounds 1 to \(count)")
        }
        return AuditError(
            campaign.map { "round \(round) of \($0) is not committed" }
                ?? "no campaign has a committed round \(round)",
            hint: known.isEmpty ? "no campaign was opened" : "committed are: " + rounds.joined(separator: "; "),
            code: .wrongOption
        )
    }

    /// How many campaigns, the newest ones, an error names.
    private static let namedCampaigns = 10

    private static func run(_ record: RoundHistory.Record, recorded: GlobalState, in copy: LedgerCopy, threads: Int)
        throws -> Replay
    {
        let computed = try compute(record.task, blobs: copy.blobs, threads: threads)
        guard let cutting = record.release, recorded.adapter != nil else {
            return Replay(
                campaign: record.campaign,
                task: record.task,
                recorded: recorded,
                computed: computed,
                release: nil
            )
        }
        let folded = try compute(record.task.asLast, blobs: copy.blobs, threads: threads)
        return Replay(
            campaign: record.campaign,
            task: record.task,
            recorded: recorded,
            computed: computed,
            release: Release(name: cutting.name, recorded: cutting.model.digest, computed: folded.model)
        )
    }

    /// The outcome for one committed round in a replay of all.
    package struct Outcome: Sendable {
        package enum Result: Equatable, Sendable {
            case identical
            case different
            /// Its updates were removed after the plan's retention period.
            case pruned
            /// A blob that it needs is missing or damaged.
            case unreadable(String)
        }

        package let campaign: CampaignID
        package let round: Int
        package let updates: Int
        package let result: Result

        /// Whether the copy gives no reason to doubt the round.
        package var isSound: Bool { result == .identical || result == .pruned }
    }

    /// Recomputes every committed round of a campaign, or of all campaigns if `campaign` is `nil`.
    ///
    /// - Parameter progress: Called with the number of finished rounds and the total number.
    /// - Returns: The outcome of each round.
    /// - Throws: `AuditError` if there is no such campaign.
    package static func all(
        _ copy: LedgerCopy,
        campaign: CampaignID? = nil,
        threads: Int = 2,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> [Outcome] {
        let committed = try committedRounds(of: campaign, in: RoundHistory(copy))
        return try committed.enumerated().map { index, record in
            progress(index, committed.count)
            defer { progress(index + 1, committed.count) }
            let result = try result(record, in: copy, threads: threads)
            return Outcome(
                campaign: record.campaign,
                round: record.task.key.round,
                updates: record.task.contributions.count,
                result: result
            )
        }
    }

    private static func result(_ record: RoundHistory.Record, in copy: LedgerCopy, threads: Int) throws
        -> Outcome.Result
    {
        guard let commit = record.commit, record.replayability(in: copy.blobs) != .pruned else { return .pruned }
        do {
            return try run(record, recorded: commit.result, in: copy, threads: threads).isIdentical
                ? .identical : .different
        } catch let error as BlobError {
            return .unreadable(error.message)
        }
    }

    private static func compute(_ task: AggregationTask, blobs: BlobStore, threads: Int) throws -> GlobalState {
        let manager = FileManager.default
        let scratch = manager.temporaryDirectory.appendingPathComponent("kumiai-replay-\(UUID().uuidString)").path
        try manager.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? manager.removeItem(atPath: scratch) }
        // Check the blobs first: a sum over damaged blobs would only show that the results differ, not why.
        for digest in task.start.blobs + task.contributions.map(\.update) { try blobs.verify(digest) }
        return try RoundComputation(from: blobs, to: BlobStore(directory: scratch), threads: threads).run(task)
    }
}
