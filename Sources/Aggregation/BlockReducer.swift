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

    /// Writes the next model and, for strategies that have one, the next server state. The model keeps its metadata.
    func reduce(_ task: AggregationTask, _ input: RoundInput, _ output: RoundOutput) throws {
        let layout = input.model.layout
        let model = try output.model(layout, input.model.header.metadata)
        let slots = task.strategy.stateSlots
        let state = try slots > 0 ? output.state(ServerState.layout(of: layout, slots: slots)) : nil
        let blockElements = min(blockElements, max(1, layout.elementCount))
        var lanes = (0..<threads).map { _ in Lane(blockElements: blockElements, slots: slots) }
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

    /// Each lane takes one block; they share nothing, so their number does not change a bit of the result.
    private func reduceLanes(_ lanes: [Lane], _ blockElements: Int, from start: Int, to end: Int, _ task: AggregationTask, _ input: RoundInput) throws {
        let work: @Sendable (Int) -> Void = { index in
            let first = start + index * blockElements
            lanes[index].reduce(first..<max(first, min(end, first + blockElements)), task, input)
        }
        if lanes.count == 1 { work(0) } else { DispatchQueue.concurrentPerform(iterations: lanes.count, execute: work) }
        for lane in lanes { if let error = lane.error { throw error } }
    }
}

/// One thread's buffers.
private final class Lane: @unchecked Sendable {
    // Unchecked: a lane is used by one thread at a time, between two barriers.
    private let sums: UnsafeMutableBufferPointer<Int64>
    private let values: UnsafeMutableBufferPointer<Float>
    private let weights: UnsafeMutableBufferPointer<Float>
    private let state: UnsafeMutableBufferPointer<Float>
    private let next: UnsafeMutableBufferPointer<Float>
    private let slots: Int
    private(set) var count = 0
    private(set) var error: (any Error)?

    init(blockElements: Int, slots: Int) {
        self.slots = slots
        sums = .allocate(capacity: blockElements)
        values = .allocate(capacity: blockElements)
        weights = .allocate(capacity: blockElements)
        state = .allocate(capacity: slots * blockElements)
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
    var stateBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: state.baseAddress, count: slots * count * 4) }

    func reduce(_ range: Range<Int>, _ task: AggregationTask, _ input: RoundInput) {
        count = range.count
        error = nil
        guard count > 0 else { return }
        do {
            try sum(range, task, input)
            try read(weights, range, input.model)
            if state.count > 0 {
                let numbers = slots * range.lowerBound..<slots * range.upperBound
                if let file = input.serverState { try read(state, numbers, file) } else { state.initialize(repeating: 0) }
            }
            task.strategy.optimizer.step(
                sums: UnsafeBufferPointer(rebasing: sums[..<count]), denominator: Ring.denominator(task),
                weights: UnsafeBufferPointer(rebasing: weights[..<count]), state: state, next: next)
        } catch {
            self.error = error
        }
    }

    private func sum(_ range: Range<Int>, _ task: AggregationTask, _ input: RoundInput) throws {
        sums.initialize(repeating: 0)
        for (contribution, update) in zip(task.contributions, input.updates) {
            let block = UnsafeMutableBufferPointer(rebasing: values[..<count])
            try update.read(block, from: range.lowerBound)
            try Ring.accumulate(UnsafeBufferPointer(block), into: sums.baseAddress!, task, contribution)
        }
    }

    private func read(_ buffer: UnsafeMutableBufferPointer<Float>, _ range: Range<Int>, _ file: SafetensorsFile) throws {
        let bytes = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: range.count * 4)
        try file.read(into: bytes, at: range.lowerBound * 4)
    }
}
