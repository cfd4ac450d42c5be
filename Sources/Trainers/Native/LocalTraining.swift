import Demonstrations
import Policies
import Tensors

/// A site's training in a round: a number of steps on its demonstrations, from a given policy.
package struct LocalTraining: Sendable {
    package var steps: Int
    package var batch: Int
    package var sampling: Sampling
    package var schedule: Schedule
    package var optimizer: AdamW.Settings
    /// μ of FedProx; 0 if FedProx is not used.
    package var proximal: Float
    package var threads: Int

    package init(
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

    package struct Outcome: Sendable {
        /// The trained policy; if an adapter was trained, it is folded in.
        package let policy: Policy
        package let adapter: Adapter?
        /// The mean loss over all steps.
        package let loss: Double
    }

    /// The state of the training after a step.
    package struct Progress {
        /// The number of completed steps.
        package let step: Int
        package let loss: Float
        /// Makes a snapshot from which training can resume with bit-identical results.
        package let snapshot: () -> TrainingSnapshot
    }

    /// Trains the policy, or only the adapter.
    ///
    /// - Parameters:
    ///   - start: The policy to start from.
    ///   - adapter: The adapter to train instead of the policy's weights.
    ///   - generator: The random generator of this training in its initial state, also if training resumes.
    ///   - snapshot: A snapshot of the same training. If it is given, training resumes there and ends with the same
    ///     weights.
    ///   - progress: Called after each step. If it throws, the training stops.
    /// - Throws: ``TrainingDivergence`` if the loss, the gradient or the weights are no longer finite, or if the loss
    ///   has become far too large; the error of `progress`.
    package func run(
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
            range.add(loss)
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
            let given = step == 1 ? " with the given weights, before the first change" : ""
            throw TrainingDivergence(step: step, steps: steps, what: "the loss is \(loss)\(given)")
        }
        guard trainer.gradientNorm.isFinite else {
            throw TrainingDivergence(step: step, steps: steps, what: "the gradient's norm is \(trainer.gradientNorm)")
        }
    }

    /// Checks the weights after the last step, because its change has not affected any loss yet.
    private func check(_ trainer: PolicyTrainer) throws {
        do {
            if let adapter = trainer.adapter { try adapter.layout.layout.checkFinite(adapter.values) }
            try trainer.policy.layout.checkFinite(trainer.policy.weights)
        } catch let error as NotFiniteError {
            throw TrainingDivergence(step: steps, steps: steps, what: error.message)
        }
    }
}

/// Compares the newest losses with the first one: a diverged training can have values that are finite but useless.
struct LossRange {
    private var first: Float?
    private var recent: [Float] = []

    /// The number of newest steps whose mean loss is compared.
    private static let window = 10
    /// The largest ratio of the mean loss to the first loss, or to 1 if the first loss is smaller. Actions are
    /// normalised, so an untrained policy has a loss near 1.
    private static let largestRise: Float = 100

    /// - Parameter first: If the training resumes, its mean loss so far; otherwise `nil`.
    init(_ first: Float?) { self.first = first }

    mutating func add(_ loss: Float) {
        first = first ?? loss
        recent = recent.suffix(Self.window - 1) + [loss]
    }

    /// Describes the rise of the loss if it is too large; otherwise `nil`.
    var divergence: String? {
        guard let first, !recent.isEmpty else { return nil }
        let last = recent.reduce(0, +) / Float(recent.count)
        return last > Self.largestRise * max(1, first) ? "the loss rose from \(first) to \(last)" : nil
    }
}
