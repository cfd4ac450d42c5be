import CKernels
import Dispatch

/// Fine-tunes a policy on batches: forward, backward, clipping, AdamW.
///
/// The same seed gives the same weights, bit for bit, on the same machine and number of threads.
public final class Trainer {
    public private(set) var policy: Policy
    public let threads: Int
    private let batchCount: Int
    private var optimizer: AdamW
    private let lanes: [Lane]
    private var gradient: [Float]

    /// One thread's share: its activations and its part of the gradient.
    private final class Lane: @unchecked Sendable {
        // Unchecked: a lane is used by one thread at a time, between two barriers.
        let space: Workspace
        var gradient: [Float]
        var loss: Float = 0

        init(_ configuration: PolicyConfiguration, capacity: Int, parameters: Int) {
            space = Workspace(configuration, capacity: capacity)
            gradient = [Float](repeating: 0, count: parameters)
        }
    }

    /// `batch`: the largest number of samples that a step will see.
    public init(_ policy: Policy, batch: Int, threads: Int = 1, optimizer: AdamW.Settings = .init()) {
        precondition(batch > 0 && threads > 0)
        BLAS.useOneThread()
        self.policy = policy
        self.threads = min(threads, batch)
        batchCount = batch
        self.optimizer = AdamW(optimizer, count: policy.weights.count)
        let share = (batch + self.threads - 1) / self.threads
        lanes = (0..<self.threads).map { _ in Lane(policy.configuration, capacity: share, parameters: policy.weights.count) }
        gradient = []
    }

    /// The optimiser's moments, in the order of the weights.
    var moments: (m: [Float], v: [Float]) { (optimizer.m, optimizer.v) }

    /// Goes on where a former run was after `steps` steps.
    func restore(weights: [Float], m: [Float], v: [Float], steps: Int) {
        precondition(weights.count == policy.weights.count)
        policy.weights = weights
        optimizer.restore(m: m, v: v, steps: steps)
    }

    /// One step; gives back the mean absolute error before it.
    public func step(_ batch: Batch, learningRate: Float) -> Float {
        let loss = lossAndGradient(batch)
        optimizer.step(&policy.weights, lanes[0].gradient, learningRate: learningRate)
        return loss
    }

    /// The loss, and its gradient in the order of the weights.
    public func gradients(_ batch: Batch) -> (loss: Float, gradient: [Float]) {
        let loss = lossAndGradient(batch)
        return (loss, lanes[0].gradient)
    }

    private func lossAndGradient(_ batch: Batch) -> Float {
        precondition(batch.count > 0 && batch.count <= batchCount)
        let share = (batch.count + threads - 1) / threads
        run { lane, index in
            let range = min(batch.count, index * share)..<min(batch.count, (index + 1) * share)
            lane.loss = 0
            lane.gradient.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
            guard !range.isEmpty else { return }
            self.policy.weights.withUnsafeBufferPointer { weights in
                let pass = Pass(
                    c: self.policy.configuration, o: self.policy.offsets, w: weights.baseAddress!, space: lane.space,
                    shard: Shard(batch: batch, range: range))
                pass.forward()
                lane.loss = pass.absoluteError(total: batch.count)
                lane.gradient.withUnsafeMutableBufferPointer { pass.backward(into: $0.baseAddress!) }
            }
        }
        // In the order of the lanes, whichever was first to end.
        for lane in lanes.dropFirst() {
            let count = Int64(lane.gradient.count)
            lanes[0].gradient.withUnsafeMutableBufferPointer { sum in
                lane.gradient.withUnsafeBufferPointer { kumiai_add(sum.baseAddress, $0.baseAddress, count) }
            }
        }
        return lanes.reduce(0) { $0 + $1.loss }
    }

    /// The actions that the policy predicts for a batch, count × chunk × actionCount.
    public func predict(_ batch: Batch) -> [Float] {
        precondition(batch.count <= batchCount)
        let width = policy.configuration.chunk * policy.configuration.actionCount
        let share = (batch.count + threads - 1) / threads
        var predictions: [Float] = []
        run { lane, index in
            let range = min(batch.count, index * share)..<min(batch.count, (index + 1) * share)
            guard !range.isEmpty else { return }
            self.policy.weights.withUnsafeBufferPointer { weights in
                Pass(
                    c: self.policy.configuration, o: self.policy.offsets, w: weights.baseAddress!, space: lane.space,
                    shard: Shard(batch: batch, range: range)
                ).forward()
            }
        }
        for (index, lane) in lanes.enumerated() {
            let count = min(batch.count, (index + 1) * share) - min(batch.count, index * share)
            predictions += UnsafeBufferPointer(start: lane.space.output, count: count * width)
        }
        return predictions
    }

    private func run(_ body: (Lane, Int) -> Void) {
        guard threads > 1 else { return body(lanes[0], 0) }
        withoutActuallyEscaping(body) { body in
            // Sendable by construction: each iteration has a lane of its own.
            nonisolated(unsafe) let work = body
            let lanes = lanes
            DispatchQueue.concurrentPerform(iterations: threads) { work(lanes[$0], $0) }
        }
    }
}
