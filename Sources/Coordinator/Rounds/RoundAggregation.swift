import Aggregation
import Blobs
import Federation
import Tensors
import Transport

/// Computes a round's result from the blobs and publishes it as blobs.
package struct RoundAggregation: Sendable {
    let blobs: BlobStore
    let threads: Int

    package init(blobs: BlobStore, threads: Int) {
        self.blobs = blobs
        self.threads = threads
    }

    /// What came of the attempt to compute a round.
    package enum Outcome: Sendable {
        case done(GlobalState)
        /// These sites' updates are damaged; they have been set aside, so that they can be sent again.
        case lost(String, sites: [SiteID])
        /// The disk is full, a model is damaged: somebody must fix it, and the round waits.
        case blocked(String)
    }

    package func attempt(_ task: AggregationTask) -> Outcome {
        do {
            let damaged = try setAsideDamaged(task)
            guard damaged.isEmpty else {
                return .lost(
                    "the updates of \(damaged.map(\.description).joined(separator: ", ")) are damaged or missing on the coordinator's disk", sites: damaged)
            }
            return .done(try run(task))
        } catch {
            return .blocked(describe(error))
        }
    }

    /// Hashed again before they are summed: a byte that rotted since intake would be in every model from here on.
    private func setAsideDamaged(_ task: AggregationTask) throws -> [SiteID] {
        for digest in task.start.blobs { try blobs.verify(digest) }
        var damaged: [SiteID] = []
        for contribution in task.contributions {
            do {
                try blobs.verify(contribution.update)
            } catch let error as BlobError where error.code == .damaged {
                try blobs.setAside(contribution.update)
                damaged.append(contribution.site)
            } catch let error as BlobError where error.code == .missing {
                damaged.append(contribution.site)
            }
        }
        return damaged
    }

    private func run(_ task: AggregationTask) throws -> GlobalState {
        let model = blobs.temporaryPath(), adapter = blobs.temporaryPath(), state = blobs.temporaryPath()
        // Adopted files are gone from here by then; those of a failure must not stay and fill the disk.
        defer { for path in [model, adapter, state] { blobs.discard(path) } }
        let (blobs, input) = (blobs, try input(task))
        try RoundReduction(threads: threads).reduce(
            task, input,
            RoundOutput(
                model: { try SafetensorsWriter(BlobSink(blobs.create(model)), layout: $0, metadata: $1) },
                adapter: { try SafetensorsWriter(BlobSink(blobs.create(adapter)), layout: $0) },
                state: { try SafetensorsWriter(BlobSink(blobs.create(state)), layout: $0) }))
        func adopted(_ path: String) throws -> BlobReference {
            let (digest, byteCount) = try blobs.adopt(path)
            return BlobReference(digest: digest, byteCount: byteCount)
        }
        return try task.result(model: { try adopted(model) }, adapter: { try adopted(adapter) }, serverState: { try adopted(state) })
    }

    private func input(_ task: AggregationTask) throws -> RoundInput {
        func open(_ digest: Digest) throws -> SafetensorsFile { try SafetensorsFile(blobs, digest) }
        return try RoundInput(
            task, model: open(task.start.model), adapter: task.start.adapter.map { try open($0.digest) },
            serverState: task.start.serverState.map(open), updates: task.contributions.map { try open($0.update) })
    }
}
