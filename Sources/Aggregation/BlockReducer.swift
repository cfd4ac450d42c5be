import CKernels
import Dispatch
import Federation
import Tensors

/// Computes a round's result from its updates' files, one block of parameters at a time.
///
/// Memory: `threads` × (one block of sums, weights, state and result, and of some updates), independent of the size of
/// the model and the number of sites.
public struct BlockReducer: Sendable {
    /// The number of parameters in a block, which is written as a whole: 512 KiB of float32.
    public static let defaultBlockElements = 128 * 1024

    public let threads: Int
    public let blockElements: Int

    /// Creates a reducer; neither number changes the result.
    ///
    /// - Parameters:
    ///   - threads: The number of blocks that are computed at a time, at least 1.
    ///   - blockElements: The number of parameters in a block, at least 1.
    public init(threads: Int = 1, blockElements: Int = defaultBlockElements) {
        precondition(threads > 0 && blockElements > 0)
        self.threads = threads
        self.blockElements = blockElements
    }

    /// Writes the next model and, for strategies that have one, the next server state. The model keeps its metadata.
    ///
    /// The next blocks are computed while the previous ones are written and perhaps hashed.
    func reduce(_ task: AggregationTask, _ input: RoundInput, _ output: RoundOutput) throws {
        let layout = input.model.layout
        let model = try output.model(layout, input.model.header.metadata)
        let slots = task.strategy.stateSlots
        let state = try slots > 0 ? output.state(ServerState.layout(of: layout, slots: slots)) : nil
        let blockElements = min(blockElements, max(1, layout.elementCount))
        let sets = (0..<2).map { _ in (0..<threads).map { _ in Lane(blockElements: blockElements, slots: slots) } }
        let writer = BlockWriter(model, state)
        for (turn, start) in stride(from: 0, to: layout.elementCount, by: blockElements * threads).enumerated() {
            let lanes = sets[turn % 2]
            // By then, the previous contents of these lanes have been written.
            try writer.wait(until: turn - 1)
            do { try reduceLanes(lanes, blockElements, from: start, to: layout.elementCount, task, input) } catch {
                try? writer.finish()
                throw error
            }
            writer.write(lanes)
        }
        try writer.finish()
        try model.finish()
        try state?.finish()
    }

    /// Reduces one block per lane. Lanes share no data, so their number does not affect the result.
    private func reduceLanes(
        _ lanes: [Lane],
        _ blockElements: Int,
        from start: Int,
        to end: Int,
        _ task: AggregationTask,
        _ input: RoundInput
    ) throws {
        let work: @Sendable (Int) -> Void = { index in
            let first = start + index * blockElements
            lanes[index].reduce(first..<max(first, min(end, first + blockElements)), task, input)
        }
        if lanes.count == 1 { work(0) } else { DispatchQueue.concurrentPerform(iterations: lanes.count, execute: work) }
        for lane in lanes { if let error = lane.error { throw error } }
    }
}

/// One thread's buffers.
final class Lane: @unchecked Sendable {
    // Unchecked: only one thread at a time uses a lane, between two barriers.
    private let sums: UnsafeMutableBufferPointer<Int64>
    private let values: UnsafeMutableBufferPointer<Float>
    private let weights: UnsafeMutableBufferPointer<Float>
    private let state: UnsafeMutableBufferPointer<Float>
    private let next: UnsafeMutableBufferPointer<Float>
    private let slots: Int
    private(set) var count = 0
    /// The number of parameters to compute at a time: 64 KiB of float32 for each of a few updates, which fits into a
    /// core's cache.
    private static let partElements = 16 * 1024
    private(set) var error: (any Error)?

    init(blockElements: Int, slots: Int) {
        self.slots = slots
        let part = min(blockElements, Self.partElements)
        sums = .allocate(capacity: part)
        values = .allocate(capacity: FixedPointSum.arraysAPass * part)
        weights = .allocate(capacity: part)
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

    var nextValues: UnsafeBufferPointer<Float> { UnsafeBufferPointer(rebasing: next[..<count]) }
    var stateValues: UnsafeBufferPointer<Float> { UnsafeBufferPointer(rebasing: state[..<(slots * count)]) }

    func reduce(_ range: Range<Int>, _ task: AggregationTask, _ input: RoundInput) {
        count = range.count
        error = nil
        do {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: sums.count) {
                let part = start..<min(range.upperBound, start + sums.count)
                try reduce(part, at: start - range.lowerBound, task, input)
            }
        } catch {
            self.error = error
        }
    }

    /// Computes a part of the block; its results start at `place`.
    private func reduce(_ part: Range<Int>, at place: Int, _ task: AggregationTask, _ input: RoundInput) throws {
        try sum(part, task, input)
        try input.weights.read(UnsafeMutableBufferPointer(rebasing: weights[..<part.count]), from: part.lowerBound)
        let state = UnsafeMutableBufferPointer(rebasing: state[slots * place..<slots * (place + part.count)])
        if slots > 0 {
            if let values = input.stateValues {
                try values.read(state, from: slots * part.lowerBound)
            } else {
                state.initialize(repeating: 0)
            }
        }
        task.strategy.optimizer.step(
            sums: UnsafeBufferPointer(rebasing: sums[..<part.count]),
            denominator: FixedPointSum.denominator(task),
            weights: UnsafeBufferPointer(rebasing: weights[..<part.count]),
            state: state,
            next: UnsafeMutableBufferPointer(rebasing: next[place..<place + part.count])
        )
    }

    /// Adds some updates per pass, so that the sums are read and written only once for all of them.
    private func sum(_ range: Range<Int>, _ task: AggregationTask, _ input: RoundInput) throws {
        sums.initialize(repeating: 0)
        for first in stride(from: 0, to: input.updates.count, by: FixedPointSum.arraysAPass) {
            let updates = try (first..<min(input.updates.count, first + FixedPointSum.arraysAPass)).map { number in
                let start = (number - first) * (values.count / FixedPointSum.arraysAPass)
                let block = UnsafeMutableBufferPointer(rebasing: values[start..<start + range.count])
                try input.updates[number].read(block, from: range.lowerBound)
                return (values: UnsafePointer(block.baseAddress!), contribution: task.contributions[number])
            }
            try FixedPointSum.accumulate(updates, count: range.count, into: sums.baseAddress!, task)
        }
    }
}
