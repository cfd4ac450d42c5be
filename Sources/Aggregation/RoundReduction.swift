import Contracts
import Federation
import Tensors
import Updates

/// The files that a task names.
public struct RoundInput: Sendable {
    public let model: SafetensorsFile
    /// `nil` without LoRA, and in the first round.
    public let adapter: SafetensorsFile?
    public let serverState: SafetensorsFile?
    let weights: FileValues
    let stateValues: FileValues?
    /// In the order of the task's contributions.
    let updates: [UpdateReader]

    /// Opens the updates, and checks that all files have the format that the plan requires.
    ///
    /// - Parameters:
    ///   - task: What determines the round's result.
    ///   - model: The model that the round started from.
    ///   - adapter: The global adapter that the round started from; `nil` without LoRA, and in the first round.
    ///   - serverState: The state of the strategy's optimizer; `nil` if it has none yet, or never has one.
    ///   - updates: The updates' files, in the order of the task's contributions.
    /// - Throws: `AggregationError` if a file is missing or has another format, `SafetensorsError` if the server state
    ///   has a tensor that holds no weights.
    public init(
        _ task: AggregationTask,
        model: SafetensorsFile,
        adapter: SafetensorsFile? = nil,
        serverState: SafetensorsFile?,
        updates: [SafetensorsFile]
    ) throws {
        guard model.layout.holdsWeights else {
            throw AggregationError("the model has tensors that are not F32, BF16 or F16")
        }
        guard task.contributions.count == updates.count, !updates.isEmpty else {
            throw AggregationError("the round has no updates, or not all of their files")
        }
        let tensors = TrainedTensors(task.training, base: model.layout, round: task.key.round)
        let format = UpdateFormat(tensors, task.compression)
        self.model = model
        weights = try FileValues(model)
        self.adapter = adapter
        self.serverState = serverState
        stateValues = try serverState.map(FileValues.init)
        self.updates = try zip(task.contributions, updates).map { contribution, file in
            // A late update is from an earlier round, but has the same format: plans whose format changes accept no
            // late updates.
            do { return try format.reader(file) } catch {
                throw AggregationError("the update of \(contribution.site): \(error)")
            }
        }
        let trained = tensors.adapter?.layout ?? model.layout
        guard adapter == nil || adapter?.layout == tensors.adapter?.layout else {
            throw AggregationError("the adapter has a layout other than the plan's")
        }
        if let serverState, serverState.layout != ServerState.layout(of: trained, slots: task.strategy.stateSlots) {
            throw AggregationError("the server state has a layout other than the strategy's")
        }
    }
}

/// Creates the files for a round's results. Each is requested at most once, and only if the task creates it.
public struct RoundOutput {
    let model: (TensorLayout, [(name: String, value: String)]) throws -> SafetensorsWriter
    let adapter: (TensorLayout) throws -> SafetensorsWriter
    let state: (TensorLayout) throws -> SafetensorsWriter

    /// Makes an output of functions that create the files.
    ///
    /// - Parameters:
    ///   - model: Creates the file of the next model, from its layout and its metadata.
    ///   - adapter: Creates the file of the next adapter, from its layout.
    ///   - state: Creates the file of the next server state, from its layout.
    public init(
        model: @escaping (TensorLayout, [(name: String, value: String)]) throws -> SafetensorsWriter,
        adapter: @escaping (TensorLayout) throws -> SafetensorsWriter,
        state: @escaping (TensorLayout) throws -> SafetensorsWriter
    ) {
        self.model = model
        self.adapter = adapter
        self.state = state
    }

    /// Writes files at these paths.
    ///
    /// - Parameters:
    ///   - model: The path of the next model.
    ///   - adapter: The path of the next adapter.
    ///   - state: The path of the next server state.
    public init(model: String, adapter: String, state: String) {
        self.init(
            model: { try SafetensorsWriter(path: model, layout: $0, metadata: $1) },
            adapter: { try SafetensorsWriter(path: adapter, layout: $0) },
            state: { try SafetensorsWriter(path: state, layout: $0) }
        )
    }
}

/// Computes a round's result from its updates' files: with the same bits on every machine and in any order of the
/// updates.
public struct RoundReduction: Sendable {
    public let threads: Int

    /// Creates a reduction; the number of threads does not change the result.
    ///
    /// - Parameter threads: The number of threads that compute at a time, at least 1.
    public init(threads: Int = 1) { self.threads = threads }

    /// Computes the result, which is durable when this returns.
    ///
    /// - Parameters:
    ///   - task: What determines the round's result.
    ///   - input: The files that the task names.
    ///   - output: Creates the files of the result.
    /// - Throws: `AggregationError` if the plan's targets name no module or an update exceeds the plan's bound,
    ///   `SafetensorsError` or `InputFileError` if a file cannot be read, or what the writers of the result throw.
    public func reduce(_ task: AggregationTask, _ input: RoundInput, _ output: RoundOutput) throws {
        if let lora = task.training.lora {
            try AdapterReducer(task, lora, input, threads: threads).reduce(output)
        } else {
            try BlockReducer(threads: threads).reduce(task, input, output)
        }
    }
}
