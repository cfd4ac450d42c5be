import Aggregation
import Blobs
import Federation
import Tensors

/// What a round comes to: computed once by the coordinator, and again by everybody who checks it.
public struct RoundComputation: Sendable {
    private let inputs: BlobStore
    private let results: BlobStore
    private let threads: Int

    /// - Parameters:
    ///   - inputs: holds the models and updates that the round's task names.
    ///   - results: takes what comes of it; may be the same store.
    public init(from inputs: BlobStore, to results: BlobStore, threads: Int) {
        self.inputs = inputs
        self.results = results
        self.threads = threads
    }

    /// Computes the task's result and publishes its files in the store of the results.
    ///
    /// The bytes of the inputs are not hashed here: who asks has looked for damage, and knows what to do about it.
    /// - Throws: `BlobError`, `SafetensorsError` or `AggregationError` where an input is missing or has another form.
    public func run(_ task: AggregationTask) throws -> GlobalState {
        // What is not published goes with its writer: the files of a failure must not stay and fill the disk.
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
                throw BlobError(.failed, "the round has made no file")
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
