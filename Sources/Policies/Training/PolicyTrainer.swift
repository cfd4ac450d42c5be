import Contracts
import CKernels
import Dispatch
import Tensors
import LinearAlgebra

/// Fine-tunes a policy, or an adapter beside it, on batches: forward, backward, clipping, AdamW.
///
/// The same seed gives the same weights, bit for bit, on the same machine and number of threads.
///
/// Memory: see ``byteCount``. Activations are those of ``microBatch(of:)`` samples a thread, however large the batch
/// is.
public final class PolicyTrainer {
    /// With the adapter, where there is one, folded in.
    public private(set) var policy: Policy
    public private(set) var adapter: Adapter?
    public let threads: Int
    private let batchCount: Int
    private let offsets: Offsets
    private var optimizer: AdamW
    private let lanes: [Lane]
    /// The policy's own weights, where an adapter is trained beside them.
    private let base: [Float]
    /// FedProx: what the weights are held to, and how strongly.
    private let proximal: Float
    private let anchor: [Float]
    /// Of the last step's gradient, before it was clipped.
    package private(set) var gradientNorm: Float = 0

    /// One thread's share: its activations and its part of the gradient.
    private final class Lane: @unchecked Sendable {
        // Unchecked: a lane is used by one thread at a time, between two barriers.
        let space: Workspace
        var gradient: [Float]
        var output: [Float] = []
        var loss: Float = 0

        init(_ space: Workspace, parameters: Int) {
            self.space = space
            gradient = [Float](repeating: 0, count: parameters)
        }
    }

    /// Rows of activations that a thread works on at a time: they stay in a core's cache, and products stay efficient.
    private static let microRows = 128

    /// Samples that a thread works on at a time.
    public static func microBatch(of configuration: PolicyConfiguration) -> Int {
        max(1, microRows / configuration.tokens)
    }

    /// - Parameters:
    ///   - adapter: trained in place of the policy's weights.
    ///   - batch: the largest number of samples that a step will see.
    ///   - proximal: μ of FedProx (Li 2020, arXiv:1812.06127): μ/2·‖w − w₀‖² is added to the loss, w₀ where training
    ///     began.
    public init(
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

    /// Bytes of weights, gradients, moments and activations: (3 + threads) × trained parameters, frozen weights twice,
    /// and the activations of ``microBatch(of:)`` samples a thread.
    public var byteCount: Int {
        let trained = adapter?.values.count ?? policy.weights.count
        let frozen = adapter == nil ? 0 : policy.weights.count + base.count
        return 4 * ((3 + threads) * trained + frozen + anchor.count) + lanes.reduce(0) { $0 + $1.space.byteCount }
    }

    /// What is trained: the adapter's factors or the policy's weights.
    public var parameters: [Float] { adapter?.values ?? policy.weights }

    /// The optimiser's moments, in the order of the parameters.
    package var moments: (m: [Float], v: [Float]) { (optimizer.m, optimizer.v) }

    /// Goes on where a former run was after `steps` steps.
    package func restore(parameters: [Float], m: [Float], v: [Float], steps: Int) {
        precondition(parameters.count == self.parameters.count)
        if adapter != nil { adapter?.values = parameters } else { policy.weights = parameters }
        optimizer.restore(m: m, v: v, steps: steps)
        fold()
    }

    private func fold() { adapter?.fold(into: &policy.weights, base: base) }

    /// One step; returns the loss before it.
    public func step(_ batch: Batch, learningRate: Float) -> Float {
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

    /// The loss without FedProx's term, and its gradient with it, in the order of the parameters.
    public func gradients(_ batch: Batch) -> (loss: Float, gradient: [Float]) {
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
        // In the order of the lanes, whichever was first to end.
        for lane in lanes.dropFirst() { kumiai_add(&lanes[0].gradient, lane.gradient, Int64(lane.gradient.count)) }
        freeze()
        if proximal > 0 { kumiai_proximal(&lanes[0].gradient, parameters, anchor, Int64(anchor.count), proximal) }
        return lanes.reduce(0) { $0 + $1.loss }
    }

    /// Factors that may not change have no gradient.
    private func freeze() {
        guard let adapter, adapter.trained != .both else { return }
        for module in adapter.layout.modules {
            for index in adapter.trained.contains(.a) ? module.b : module.a { lanes[0].gradient[index] = 0 }
        }
    }

    /// What the network gives for a batch, count × chunk × actionCount: actions, or, for flow matching, velocities.
    ///
    /// The same numbers for any number of threads: the kernels of linear algebra round by the rows that they get at a
    /// time, and a thread takes whole micro-batches here.
    public func outputs(_ batch: Batch) -> [Float] {
        let width = policy.configuration.chunk * policy.configuration.actionCount
        let micro = lanes[0].space.capacity, shares = (batch.count + micro - 1) / micro
        run(batch, share: (shares + threads - 1) / threads * micro) { lane, pass in
            pass.forward()
            lane.output += UnsafeBufferPointer(start: lane.space.output, count: pass.shard.count * width)
        }
        return lanes.flatMap(\.output)
    }

    /// Runs `body` for the batch in each lane's micro-batches, in order. `share`: samples of a lane.
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
        // Sendable by construction: each iteration has a lane of its own.
        nonisolated(unsafe) let lane = work
        DispatchQueue.concurrentPerform(iterations: threads) { lane($0) }
    }
}
