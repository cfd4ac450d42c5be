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
        let model = results.temporaryPath(), adapter = results.temporaryPath(), state = results.temporaryPath()
        // Adopted files are gone from here by then; those of a failure must not stay and fill the disk.
        defer { for path in [model, adapter, state] { results.discard(path) } }
        let (results, input) = (results, try input(task))
        try RoundReduction(threads: threads).reduce(
            task, input,
            RoundOutput(
                model: { try SafetensorsWriter(BlobSink(results.create(model)), layout: $0, metadata: $1) },
                adapter: { try SafetensorsWriter(BlobSink(results.create(adapter)), layout: $0) },
                state: { try SafetensorsWriter(BlobSink(results.create(state)), layout: $0) }))
        func adopted(_ path: String) throws -> BlobReference {
            let (digest, byteCount) = try results.adopt(path)
            return BlobReference(digest: digest, byteCount: byteCount)
        }
        return try task.result(model: { try adopted(model) }, adapter: { try adopted(adapter) }, serverState: { try adopted(state) })
    }

    private func input(_ task: AggregationTask) throws -> RoundInput {
        func open(_ digest: Digest) throws -> SafetensorsFile { try SafetensorsFile(inputs, digest) }
        return try RoundInput(
            task, model: open(task.start.model), adapter: task.start.adapter.map { try open($0.digest) },
            serverState: task.start.serverState.map(open), updates: task.contributions.map { try open($0.update) })
    }
}
