import Demonstrations
import Policies
import Tensors

/// A site's turn: some steps from a starting policy on its demonstrations.
public struct LocalTraining: Sendable {
    public var steps: Int
    public var batch: Int
    public var sampling: Sampling
    public var schedule: Schedule
    public var optimizer: AdamW.Settings
    /// μ of FedProx; 0 without it.
    public var proximal: Float
    public var threads: Int

    public init(
        steps: Int,
        batch: Int,
        sampling: Sampling = .random,
        schedule: Schedule,
        optimizer: AdamW.Settings = .init(),
        proximal: Float = 0,
        threads: Int = 1
    ) {
        self.steps = steps
        self.batch = batch
        self.sampling = sampling
        self.schedule = schedule
        self.optimizer = optimizer
        self.proximal = proximal
        self.threads = threads
    }

    public struct Outcome: Sendable {
        /// With the adapter, where one was trained, folded in.
        public let policy: Policy
        public let adapter: Adapter?
        /// Mean over the steps.
        public let loss: Double
    }

    /// What is heard after each step.
    public struct Progress {
        /// Steps done.
        public let step: Int
        public let loss: Float
        /// All that is needed to go on from here, bit for bit.
        public let snapshot: () -> TrainingSnapshot
    }

    /// Trains the policy, or the adapter beside it; `progress` is called after each step, and stops the work by
    /// throwing.
    ///
    /// From a snapshot of the same training it goes on where that was, and comes to the same weights. Throws
    /// ``TrainingDivergence`` where loss, gradient or weights stop being finite.
    public func run(
        from start: Policy,
        adapter: Adapter? = nil,
        on demonstrations: DemonstrationSet,
        seed generator: SeededGenerator,
        resuming snapshot: TrainingSnapshot? = nil,
        progress: (Progress) throws -> Void = { _ in }
    ) throws -> Outcome {
        let trainer = PolicyTrainer(
            start,
            adapter: adapter,
            batch: batch,
            threads: threads,
            optimizer: optimizer,
            proximal: proximal
        )
        var (sum, first, current) = (0.0, 0, generator)
        if let snapshot, snapshot.weights.count == trainer.parameters.count, snapshot.step <= steps {
            trainer.restore(parameters: snapshot.weights, m: snapshot.m, v: snapshot.v, steps: snapshot.step)
            (current, sum, first) = (SeededGenerator(seed: snapshot.generator), snapshot.lossSum, snapshot.step)
        }
        let loader = BatchLoader(
            demonstrations,
            batch: batch,
            sampling: sampling,
            seed: generator.state,
            generator: current,
            steps: first..<steps
        )
        var range = LossRange(snapshot.flatMap { first > 0 ? Float($0.lossSum / Double(first)) : nil })
        for step in first..<steps {
            let loaded = loader.next()
            let loss = trainer.step(loaded.batch, learningRate: schedule.rate(step))
            try check(loss, trainer, step: step + 1)
            range.note(loss)
            sum += Double(loss)
            let total = sum
            try progress(
                Progress(step: step + 1, loss: loss) {
                    let moments = trainer.moments
                    return TrainingSnapshot(
                        step: step + 1,
                        generator: loaded.generator,
                        lossSum: total,
                        weights: trainer.parameters,
                        m: moments.m,
                        v: moments.v
                    )
                }
            )
        }
        try check(trainer)
        if let what = range.divergence { throw TrainingDivergence(step: steps, steps: steps, what: what) }
        return Outcome(policy: trainer.policy, adapter: trainer.adapter, loss: sum / Double(max(1, steps)))
    }

    private func check(_ loss: Float, _ trainer: PolicyTrainer, step: Int) throws {
        guard loss.isFinite else {
            let given = step == 1 ? " with the weights as they were given, before anything was changed" : ""
            throw TrainingDivergence(step: step, steps: steps, what: "the loss is \(loss)\(given)")
        }
        guard trainer.gradientNorm.isFinite else {
            throw TrainingDivergence(step: step, steps: steps, what: "the gradient's norm is \(trainer.gradientNorm)")
        }
    }

    /// The last step's change is in no loss.
    private func check(_ trainer: PolicyTrainer) throws {
        do {
            if let adapter = trainer.adapter { try adapter.layout.layout.checkFinite(adapter.values) }
            try trainer.policy.layout.checkFinite(trainer.policy.weights)
        } catch let error as NotFiniteError {
            throw TrainingDivergence(step: steps, steps: steps, what: error.message)
        }
    }
}

/// Where a training's loss began and where it is: numbers that are finite can be as far from a model as others.
struct LossRange {
    private var first: Float?
    private var recent: [Float] = []

    /// Steps whose mean is taken.
    private static let looked = 10
    /// By how much the loss may rise. Actions are normalised: a policy that knows nothing has a loss near 1.
    private static let largestRise: Float = 100

    /// `first`: where a training goes on, its mean loss so far.
    init(_ first: Float?) { self.first = first }

    mutating func note(_ loss: Float) {
        first = first ?? loss
        recent = recent.suffix(Self.looked - 1) + [loss]
    }

    /// `nil` where it has not risen out of all proportion.
    var divergence: String? {
        guard let first, !recent.isEmpty else { return nil }
        let last = recent.reduce(0, +) / Float(recent.count)
        return last > Self.largestRise * max(1, first) ? "the loss rose from \(first) to \(last)" : nil
    }
}
