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

    /// Trains; `progress` is called after each step with its number and loss, and stops the work by throwing.
    public func run(
        from start: Policy, on demonstrations: DemonstrationSet, seed generator: SeededGenerator,
        progress: (Int, Float) throws -> Void = { _, _ in }
    ) rethrows -> Outcome {
        var generator = generator
        let trainer = Trainer(start, batch: batch, threads: threads, optimizer: optimizer)
        var samples = Batch(count: batch, start.configuration)
        var sum = 0.0
        for step in 0..<steps {
            demonstrations.fill(&samples, with: demonstrations.randomIndices(batch, using: &generator))
            let loss = trainer.step(samples, learningRate: schedule.rate(step))
            sum += Double(loss)
            try progress(step + 1, loss)
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
