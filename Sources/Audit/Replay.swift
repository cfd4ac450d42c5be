import Blobs
import Federation
import Foundation
import Verification

/// The recomputation of a round from its stored updates.
package struct Replay: Sendable {
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
    ///   - campaign: The campaign; `nil` for the newest one.
    ///   - threads: The number of threads.
    /// - Returns: The recorded and the recomputed results.
    /// - Throws: `AuditError` if there is no such round or its blobs are missing or damaged.
    package static func run(_ copy: LedgerCopy, round: Int, campaign: CampaignID? = nil, threads: Int = 2) throws
        -> Replay
    {
        let all = try RoundHistory(copy).rounds
        let rounds = all.filter { $0.campaign == campaign ?? all.last?.campaign }
        if let campaign, rounds.isEmpty {
            throw AuditError(
                "there is no campaign \(campaign)",
                hint: "kumiai audit rounds lists them",
                code: .wrongOption
            )
        }
        guard let record = rounds.last(where: { $0.task.key.round == round && $0.commit != nil }),
            let commit = record.commit
        else {
            let known = rounds.filter { $0.commit != nil }.map(\.task.key.round)
            throw AuditError(
                "round \(round) is not committed",
                hint: known.isEmpty ? "no round is" : "rounds \(known.first!) to \(known.last!) are",
                code: .wrongOption
            )
        }
        guard record.replayability(in: copy.blobs) != .pruned else {
            throw AuditError(
                "the updates of round \(round) were removed after the plan's retention period",
                hint: "kumiai audit rounds shows which rounds can be replayed"
            )
        }
        return try run(record, recorded: commit.result, in: copy, threads: threads)
    }

    private static func run(_ record: RoundHistory.Record, recorded: GlobalState, in copy: LedgerCopy, threads: Int)
        throws -> Replay
    {
        let computed = try compute(record.task, blobs: copy.blobs, threads: threads)
        guard let cutting = record.release, recorded.adapter != nil else {
            return Replay(task: record.task, recorded: recorded, computed: computed, release: nil)
        }
        let folded = try compute(record.task.asLast, blobs: copy.blobs, threads: threads)
        return Replay(
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
        let rounds = try RoundHistory(copy).rounds.filter { campaign == nil || $0.campaign == campaign }
        if let campaign, rounds.isEmpty {
            throw AuditError(
                "there is no campaign \(campaign)",
                hint: "kumiai audit rounds lists them",
                code: .wrongOption
            )
        }
        let committed = rounds.filter { $0.commit != nil }
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
