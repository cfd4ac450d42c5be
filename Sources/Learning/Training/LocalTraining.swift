/// A site's turn: some steps from a starting policy on its demonstrations.
public struct LocalTraining: Sendable {
    public var steps: Int
    public var batch: Int
    public var schedule: Schedule
    public var optimizer: AdamW.Settings
    public var threads: Int

    public init(steps: Int, batch: Int, schedule: Schedule, optimizer: AdamW.Settings = .init(), threads: Int = 1) {
        self.steps = steps
        self.batch = batch
        self.schedule = schedule
        self.optimizer = optimizer
        self.threads = threads
    }

    public struct Outcome: Sendable {
        public let policy: Policy
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

    /// Trains; `progress` is called after each step, and stops the work by throwing.
    ///
    /// From a snapshot of the same training it goes on where that was, and comes to the same weights.
    public func run(
        from start: Policy, on demonstrations: DemonstrationSet, seed generator: SeededGenerator, resuming snapshot: TrainingSnapshot? = nil,
        progress: (Progress) throws -> Void = { _ in }
    ) rethrows -> Outcome {
        var generator = generator
        let trainer = Trainer(start, batch: batch, threads: threads, optimizer: optimizer)
        var samples = Batch(count: batch, start.configuration)
        var sum = 0.0
        var first = 0
        if let snapshot, snapshot.weights.count == start.weights.count, snapshot.step <= steps {
            trainer.restore(weights: snapshot.weights, m: snapshot.m, v: snapshot.v, steps: snapshot.step)
            (generator, sum, first) = (SeededGenerator(seed: snapshot.generator), snapshot.lossSum, snapshot.step)
        }
        for step in first..<steps {
            demonstrations.fill(&samples, with: demonstrations.randomIndices(batch, using: &generator))
            let loss = trainer.step(samples, learningRate: schedule.rate(step))
            sum += Double(loss)
            let (state, total) = (generator.state, sum)
            try progress(
                Progress(step: step + 1, loss: loss) {
                    let moments = trainer.moments
                    return TrainingSnapshot(step: step + 1, generator: state, lossSum: total, weights: trainer.policy.weights, m: moments.m, v: moments.v)
                })
        }
        return Outcome(policy: trainer.policy, loss: sum / Double(max(1, steps)))
    }
}

/// How far predicted actions are from an expert's.
public enum Evaluation {
    /// The mean absolute error over all samples of a set, each step's whole chunk counted.
    public static func error(of policy: Policy, on demonstrations: DemonstrationSet, threads: Int = 1) -> Double {
        let size = min(64, demonstrations.count)
        let trainer = Trainer(policy, batch: size, threads: threads)
        var sum = 0.0
        for start in stride(from: 0, to: demonstrations.count, by: size) {
            let indices = Array(start..<min(demonstrations.count, start + size))
            var batch = Batch(count: indices.count, policy.configuration)
            demonstrations.fill(&batch, with: indices)
            for (predicted, wanted) in zip(trainer.predict(batch), batch.actions) { sum += Double(abs(predicted - wanted)) }
        }
        let c = policy.configuration
        return sum / Double(demonstrations.count * c.chunk * c.actionCount)
    }
}
