import CKernels
import Dispatch
import Federation
import Tensors

/// Computes a round's result from the files of its updates, a block of parameters at a time.
///
/// Memory: `threads` × (one block of sums, weights, state and result, and one of updates), whatever the size of the
/// model and the number of sites.
public struct BlockReducer: Sendable {
    /// Parameters of a block: 256 KiB of float32, so that a block's buffers stay in a core's cache.
    public static let defaultBlockElements = 64 * 1024

    public let threads: Int
    public let blockElements: Int

    public init(threads: Int = 1, blockElements: Int = defaultBlockElements) {
        precondition(threads > 0 && blockElements > 0)
        self.threads = threads
        self.blockElements = blockElements
    }

    /// The files that a task names.
    public struct Input: Sendable {
        public let model: SafetensorsFile
        public let serverState: SafetensorsFile?
        /// In the order of the task's contributions.
        public let updates: [SafetensorsFile]

        public init(model: SafetensorsFile, serverState: SafetensorsFile?, updates: [SafetensorsFile]) {
            self.model = model
            self.serverState = serverState
            self.updates = updates
        }
    }

    /// Writes the next model to `modelPath` and, for strategies that have one, the next server state to `statePath`.
    ///
    /// The model keeps its metadata. Both files are durable when this returns.
    public func reduce(_ task: AggregationTask, _ input: Input, modelPath: String, statePath: String) throws {
        try reduce(
            task, input, model: { try SafetensorsWriter(path: modelPath, layout: $0, metadata: $1) },
            state: { try SafetensorsWriter(path: statePath, layout: $0) })
    }

    /// As above, to wherever the writers lead; each is made once, when the input has been checked.
    public func reduce(
        _ task: AggregationTask, _ input: Input,
        model makeModel: (TensorLayout, [(name: String, value: String)]) throws -> SafetensorsWriter,
        state makeState: (TensorLayout) throws -> SafetensorsWriter
    ) throws {
        try check(task, input)
        let layout = input.model.layout
        let model = try makeModel(layout, input.model.header.metadata)
        let state = try task.strategy.hasServerState ? makeState(layout) : nil
        let blockElements = min(blockElements, max(1, layout.elementCount))
        var lanes = (0..<threads).map { _ in Lane(blockElements: blockElements, hasState: state != nil) }
        defer { lanes.removeAll() }
        for start in stride(from: 0, to: layout.elementCount, by: blockElements * threads) {
            try reduceLanes(lanes, blockElements, from: start, to: layout.elementCount, task, input)
            for lane in lanes where lane.count > 0 {
                try model.append(lane.nextBytes)
                try state?.append(lane.stateBytes)
            }
        }
        try model.finish()
        try state?.finish()
    }

    private func check(_ task: AggregationTask, _ input: Input) throws {
        let layout = input.model.layout
        guard layout.isAllFloat32 else { throw AggregationError("the model has tensors that are not F32") }
        guard task.contributions.count == input.updates.count, !input.updates.isEmpty else {
            throw AggregationError("the round has no updates, or not all of their files")
        }
        for (contribution, file) in zip(task.contributions, input.updates) where file.layout != layout {
            throw AggregationError("the update of \(contribution.site) has another layout than the model")
        }
        if let state = input.serverState, state.layout != layout {
            throw AggregationError("the server state has another layout than the model")
        }
    }

    /// Each lane takes one block; they share nothing, so their number does not change a bit of the result.
    private func reduceLanes(_ lanes: [Lane], _ blockElements: Int, from start: Int, to end: Int, _ task: AggregationTask, _ input: Input) throws {
        let work: @Sendable (Int) -> Void = { index in
            let first = start + index * blockElements
            lanes[index].reduce(first..<max(first, min(end, first + blockElements)), task, input)
        }
        if lanes.count == 1 { work(0) } else { DispatchQueue.concurrentPerform(iterations: lanes.count, execute: work) }
        for lane in lanes { if let error = lane.error { throw error } }
    }
}

/// A round cannot be computed from the files at hand.
public struct AggregationError: Error, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

/// One thread's buffers.
private final class Lane: @unchecked Sendable {
    // Unchecked: a lane is used by one thread at a time, between two barriers.
    private let sums: UnsafeMutableBufferPointer<Int64>
    private let values: UnsafeMutableBufferPointer<Float>
    private let weights: UnsafeMutableBufferPointer<Float>
    private let state: UnsafeMutableBufferPointer<Float>
    private let next: UnsafeMutableBufferPointer<Float>
    private(set) var count = 0
    private(set) var error: (any Error)?

    init(blockElements: Int, hasState: Bool) {
        sums = .allocate(capacity: blockElements)
        values = .allocate(capacity: blockElements)
        weights = .allocate(capacity: blockElements)
        state = .allocate(capacity: hasState ? blockElements : 0)
        next = .allocate(capacity: blockElements)
    }

    deinit {
        sums.deallocate()
        values.deallocate()
        weights.deallocate()
        state.deallocate()
        next.deallocate()
    }

    var nextBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: next.baseAddress, count: count * 4) }
    var stateBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: state.baseAddress, count: count * 4) }

    func reduce(_ range: Range<Int>, _ task: AggregationTask, _ input: BlockReducer.Input) {
        count = range.count
        error = nil
        guard count > 0 else { return }
        do {
            try sum(range, task, input)
            try read(weights, range, input.model)
            if state.count > 0 {
                if let file = input.serverState { try read(state, range, file) } else { state.initialize(repeating: 0) }
            }
            let denominator = Double(task.totalWeight) * Double(sign: .plus, exponent: task.scaleBits, significand: 1)
            task.strategy.optimizer.step(
                sums: UnsafeBufferPointer(rebasing: sums[..<count]), denominator: denominator,
                weights: UnsafeBufferPointer(rebasing: weights[..<count]), state: state, next: next)
        } catch {
            self.error = error
        }
    }

    private func sum(_ range: Range<Int>, _ task: AggregationTask, _ input: BlockReducer.Input) throws {
        let scale = Double(sign: .plus, exponent: task.scaleBits, significand: 1)
        sums.initialize(repeating: 0)
        for (contribution, file) in zip(task.contributions, input.updates) {
            try read(values, range, file)
            // Also NaN and infinity: a value over the bound could overflow the ring.
            guard Double(kumiai_largest_magnitude(values.baseAddress, Int64(count))) <= task.bound else {
                throw AggregationError("the update of \(contribution.site) has values over the plan's bound")
            }
            kumiai_accumulate(sums.baseAddress, values.baseAddress, Int64(count), scale, Int64(contribution.weight))
        }
    }

    private func read(_ buffer: UnsafeMutableBufferPointer<Float>, _ range: Range<Int>, _ file: SafetensorsFile) throws {
        let bytes = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: range.count * 4)
        try file.read(into: bytes, at: range.lowerBound * 4)
    }
}
