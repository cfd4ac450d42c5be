import Blobs
import Coordinator
import Federation

/// Computes rounds with adapters again: only from the honest updates, in another order, on a disk without faults. The
/// correctness of the factors themselves is covered by the tests of the aggregation.
final class ReferenceRun {
    private let plan: Plan
    private let blobs: BlobStore
    private var start: GlobalState

    struct Failed: Error { let outcome: RoundAggregation.Outcome }

    init(_ plan: Plan, base: [UInt8]) throws {
        self.plan = plan
        blobs = BlobStore(try FileBlobs(directory: "blobs", disk: SimulatedDisk()))
        start = GlobalState(model: Digest(of: base), modelByteCount: UInt64(base.count), serverState: nil)
        try blobs.store(base)
    }

    func step(_ commit: RoundCommit, _ updates: [(update: AcceptedUpdate, file: [UInt8])], cohort: Int) throws
        -> GlobalState
    {
        let contributions = try updates.sorted { $0.update.update.manifest.site > $1.update.update.manifest.site }.map {
            update,
            file in
            AggregationTask.Contribution(
                site: update.update.manifest.site,
                update: try blobs.store(file).digest,
                weight: update.weight
            )
        }
        let task = AggregationTask(
            key: commit.key,
            start: start,
            strategy: plan.strategy,
            training: plan.training,
            compression: plan.compression,
            isLastRound: commit.key.round == plan.rounds,
            bound: plan.bounds.norm,
            scaleBits: plan.scaleBits(cohort: cohort),
            productScaleBits: plan.productScaleBits(cohort: cohort),
            contributions: contributions
        )
        let outcome = RoundAggregation(blobs: blobs, threads: 1).attempt(task)
        guard case .done(let result) = outcome else { throw Failed(outcome: outcome) }
        start = result
        return result
    }
}
