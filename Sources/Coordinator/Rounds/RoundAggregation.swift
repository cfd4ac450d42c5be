import Aggregation
import Blobs
import Federation
import Glibc
import Tensors

/// Computes a round's result from the blobs and publishes it as blobs.
struct RoundAggregation: Sendable {
    let blobs: BlobStore
    let threads: Int

    func run(_ task: AggregationTask) throws -> GlobalState {
        let model = blobs.temporaryPath(), state = blobs.temporaryPath()
        // Adopted files are gone from here by then; those of a failure must not stay and fill the disk.
        defer {
            unlink(model)
            unlink(state)
        }
        try BlockReducer(threads: threads).reduce(task, try input(task), modelPath: model, statePath: state)
        let (digest, byteCount) = try blobs.adopt(model)
        let serverState = try task.strategy.hasServerState ? blobs.adopt(state).digest : nil
        return GlobalState(model: digest, modelByteCount: byteCount, serverState: serverState)
    }

    private func input(_ task: AggregationTask) throws -> BlockReducer.Input {
        BlockReducer.Input(
            model: try open(task.start.model), serverState: try task.start.serverState.map(open),
            updates: try task.contributions.map { try open($0.update) })
    }

    /// Hashed again before it is summed: a byte that rotted since intake would be in every model from here on.
    private func open(_ digest: Digest) throws -> SafetensorsFile {
        try blobs.verify(digest)
        return try SafetensorsFile(path: blobs.path(of: digest))
    }
}
