import Aggregation
import Blobs
import Federation
import Tensors

/// Computes the result of a round, in the same way for the coordinator and for every verifier.
public struct RoundComputation: Sendable {
    private let inputs: BlobStore
    private let results: BlobStore
    private let threads: Int

    /// Makes a computation that reads from one store and writes to another.
    ///
    /// - Parameters:
    ///   - inputs: The store with the models and updates that the round's task names.
    ///   - results: The store for the results; may be the same one.
    ///   - threads: The number of threads.
    public init(from inputs: BlobStore, to results: BlobStore, threads: Int) {
        self.inputs = inputs
        self.results = results
        self.threads = threads
    }

    /// Computes the task's result and publishes its files in the results store.
    ///
    /// The inputs are not hashed here: the caller has already checked them for damage, and knows how to react to it.
    ///
    /// - Parameter task: The round's inputs and strategy.
    /// - Returns: The global state after the round, with the digests of the published files.
    /// - Throws: `BlobError`, `SafetensorsError` or `AggregationError` if an input is missing or has the wrong form.
    public func run(_ task: AggregationTask) throws -> GlobalState {
        // A writer removes its file unless it is published, so that a failed computation leaves nothing on the disk.
        var writers: (model: BlobWriter?, adapter: BlobWriter?, state: BlobWriter?)
        func open(_ writer: inout BlobWriter?, _ layout: TensorLayout, _ metadata: [(name: String, value: String)] = [])
            throws -> SafetensorsWriter
        {
            let blob = try BlobWriter(results)
            writer = blob
            return try SafetensorsWriter(blob, layout: layout, metadata: metadata)
        }
        try RoundReduction(threads: threads).reduce(
            task,
            input(task),
            RoundOutput(
                model: { try open(&writers.model, $0, $1) },
                adapter: { try open(&writers.adapter, $0) },
                state: { try open(&writers.state, $0) }
            )
        )
        func published(_ writer: BlobWriter?) throws -> BlobReference {
            guard let (digest, byteCount) = try writer?.publish() else {
                throw BlobError(.failed, "the round has produced no file")
            }
            return BlobReference(digest: digest, byteCount: byteCount)
        }
        return try task.result(
            model: { try published(writers.model) },
            adapter: { try published(writers.adapter) },
            serverState: { try published(writers.state) }
        )
    }

    private func input(_ task: AggregationTask) throws -> RoundInput {
        func open(_ digest: Digest) throws -> SafetensorsFile { try SafetensorsFile(inputs, digest) }
        return try RoundInput(
            task,
            model: open(task.start.model),
            adapter: task.start.adapter.map { try open($0.digest) },
            serverState: task.start.serverState.map(open),
            updates: task.contributions.map { try open($0.update) }
        )
    }
}
