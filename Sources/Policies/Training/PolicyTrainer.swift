import Contracts
import CKernels
import Dispatch
import Tensors
import LinearAlgebra

/// Fine-tunes a policy, or an adapter for it, on batches: forward pass, backward pass, clipping, AdamW.
///
/// The same seed gives the same weights, bit for bit, on the same machine and number of threads.
///
/// ``byteCount`` says how much memory it needs. Each thread holds the activations of only ``microBatch(of:)`` samples,
/// regardless of the size of the batch.
package final class PolicyTrainer {
    /// The policy; if there is an adapter, it is folded in.
    package private(set) var policy: Policy
    package private(set) var adapter: Adapter?
    package let threads: Int
    private let batchCount: Int
    private let offsets: Offsets
    private var optimizer: AdamW
    private let lanes: [Lane]
    /// If an adapter is trained, the policy's own weights; otherwise empty.
    private let base: [Float]
    /// For FedProx: the strength of the proximal term, and the weights from which the distance is measured.
    private let proximal: Float
    private let anchor: [Float]
    /// The norm of the last step's gradient before clipping.
    package private(set) var gradientNorm: Float = 0

    /// The buffers of one thread: its activations and its part of the gradient.
    private final class Lane: @unchecked Sendable {
        // Unchecked, because only one thread at a time uses a lane, between two barriers.
        let space: Workspace
        var gradient: [Float]
        var output: [Float] = []
        var loss: Float = 0

        init(_ space: Workspace, parameters: Int) {
            self.space = space
            gradient = [Float](repeating: 0, count: parameters)
        }
    }

    /// The number of rows of activations that a thread processes at a time: few enough for the core's cache, and enough
    /// for efficient matrix products.
    private static let microRows = 128

    /// The number of samples that a thread processes at a time.
    package static func microBatch(of configuration: PolicyConfiguration) -> Int {
        max(1, microRows / configuration.tokens)
    }

    /// - Parameters:
    ///   - policy: The policy to start from.
    ///   - adapter: The adapter to train instead of the policy's weights.
    ///   - batch: The largest number of samples in a step.
    ///   - threads: The number of threads.
    ///   - optimizer: The settings of AdamW.
    ///   - proximal: μ of FedProx (Li 2020, arXiv:1812.06127): μ/2·‖w − w₀‖² is added to the loss, where w₀ are the
    ///     weights at the start.
    package init(
        _ policy: Policy,
        adapter: Adapter? = nil,
        batch: Int,
        threads: Int = 1,
        optimizer: AdamW.Settings = .init(),
        proximal: Float = 0
    ) {
        precondition(batch > 0 && threads > 0)
        BLAS.useOneThread()
        self.policy = policy
        self.adapter = adapter
        let threads = min(threads, batch)
        self.threads = threads
        batchCount = batch
        offsets = Offsets(policy.configuration, policy.layout, adapter: adapter?.layout)
        let trained = adapter?.values ?? policy.weights
        self.optimizer = AdamW(optimizer, count: trained.count)
        base = adapter == nil ? [] : policy.weights
        self.proximal = proximal
        anchor = proximal > 0 ? trained : []
        let capacity = min(batch, Self.microBatch(of: policy.configuration))
        lanes = (0..<threads).map { _ in
            Lane(
                Workspace(policy.configuration, capacity: capacity, rank: adapter?.layout.rank ?? 0),
                parameters: trained.count
            )
        }
        fold()
    }

    /// The memory for weights, gradients, moments and activations, in bytes: (3 + threads) × the trained parameters,
    /// 2 × the frozen weights, the start weights for FedProx, and the activations of ``microBatch(of:)`` samples per
    /// thread.
    package var byteCount: Int {
        let trained = adapter?.values.count ?? policy.weights.count
        let frozen = adapter == nil ? 0 : policy.weights.count + base.count
        return MemoryLayout<Float>.size * ((3 + threads) * trained + frozen + anchor.count)
            + lanes.reduce(0) { $0 + $1.space.byteCount }
    }

    /// The trained parameters: the adapter's factors, or the policy's weights.
    package var parameters: [Float] { adapter?.values ?? policy.weights }

    /// The optimiser's moments, in the order of the parameters.
    package var moments: (m: [Float], v: [Float]) { (optimizer.m, optimizer.v) }

    /// Restores the state of an earlier run after `steps` steps.
    package func restore(parameters: [Float], m: [Float], v: [Float], steps: Int) {
        precondition(parameters.count == self.parameters.count)
        if adapter != nil { adapter?.values = parameters } else { policy.weights = parameters }
        optimizer.restore(m: m, v: v, steps: steps)
        fold()
    }

    private func fold() { adapter?.fold(into: &policy.weights, base: base) }

    /// Does one step, and returns the loss before it.
    package func step(_ batch: Batch, learningRate: Float) -> Float {
        let loss = lossAndGradient(batch)
        if adapter != nil {
            gradientNorm = optimizer.step(
                &adapter!.values,
                lanes[0].gradient,
                learningRate: learningRate,
                in: adapter!.trainedRanges
            )
            fold()
        } else {
            gradientNorm = optimizer.step(
                &policy.weights,
                lanes[0].gradient,
                learningRate: learningRate,
                in: [0..<policy.weights.count]
            )
        }
        return loss
    }

    /// Returns the loss without the proximal term, and the gradient with it, in the order of the parameters.
    package func gradients(_ batch: Batch) -> (loss: Float, gradient: [Float]) {
        let loss = lossAndGradient(batch)
        return (loss, lanes[0].gradient)
    }

    private func lossAndGradient(_ batch: Batch) -> Float {
        run(batch, share: (batch.count + threads - 1) / threads) { lane, pass in
            pass.forward()
            lane.loss += pass.loss(total: batch.count)
            lane.gradient.withUnsafeMutableBufferPointer { g in
                pass.backward(
                    into: self.adapter == nil ? Gradients(weights: g.baseAddress) : Gradients(factors: g.baseAddress)
                )
            }
        }
        // Added in the order of the lanes, regardless of which thread ended first, so that the sum is deterministic.
        for lane in lanes.dropFirst() { kumiai_add(&lanes[0].gradient, lane.gradient, Int64(lane.gradient.count)) }
        freeze()
        if proximal > 0 { kumiai_proximal(&lanes[0].gradient, parameters, anchor, Int64(anchor.count), proximal) }
        return lanes.reduce(0) { $0 + $1.loss }
    }

    /// Sets the gradient of factors that must not change to 0.
    private func freeze() {
        guard let adapter, adapter.trained != .both else { return }
        for module in adapter.layout.modules {
            for index in adapter.trained.contains(.a) ? module.b : module.a { lanes[0].gradient[index] = 0 }
        }
    }

    /// Returns the outputs of the network for a batch, count × chunk × actionCount: actions, or velocities for flow
    /// matching.
    ///
    /// The result does not depend on the number of threads: the rounding of matrix products depends on the number of
    /// rows, and each thread processes whole micro-batches here.
    package func outputs(_ batch: Batch) -> [Float] {
        let width = policy.configuration.chunk * policy.configuration.actionCount
        let micro = lanes[0].space.capacity, shares = (batch.count + micro - 1) / micro
        run(batch, share: (shares + threads - 1) / threads * micro) { lane, pass in
            pass.forward()
            lane.output += UnsafeBufferPointer(start: lane.space.output, count: pass.shard.count * width)
        }
        return lanes.flatMap(\.output)
    }

    /// Calls `body` for each micro-batch; each lane processes its micro-batches in order.
    ///
    /// - Parameter share: The number of samples per lane.
    private func run(_ batch: Batch, share: Int, _ body: @escaping (Lane, Pass) -> Void) {
        precondition(batch.count > 0 && batch.count <= batchCount)
        let micro = lanes[0].space.capacity
        let (policy, offsets, adapter) = (policy, offsets, adapter)
        func work(_ index: Int) {
            let lane = lanes[index]
            (lane.loss, lane.output) = (0, [])
            lane.gradient.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
            let range = min(batch.count, index * share)..<min(batch.count, (index + 1) * share)
            policy.weights.withUnsafeBufferPointer { weights in
                (adapter?.values ?? []).withUnsafeBufferPointer { factors in
                    for start in stride(from: range.lowerBound, to: range.upperBound, by: micro) {
                        let shard = Shard(batch: batch, range: start..<min(range.upperBound, start + micro))
                        body(
                            lane,
                            Pass(
                                c: policy.configuration,
                                o: offsets,
                                w: weights.baseAddress!,
                                factors: factors.baseAddress,
                                scale: adapter?.scale ?? 0,
                                space: lane.space,
                                shard: shard
                            )
                        )
                    }
                }
            }
        }
        guard threads > 1 else { return work(0) }
        // Safe, because each iteration uses a different lane.
        nonisolated(unsafe) let lane = work
        DispatchQueue.concurrentPerform(iterations: threads) { lane($0) }
    }
}
