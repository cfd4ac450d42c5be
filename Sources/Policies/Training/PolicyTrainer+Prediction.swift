import Contracts

extension PolicyTrainer {
    /// The actions that the policy predicts, count × chunk × actionCount, normalised as the contract says.
    ///
    /// For flow matching: ten Euler steps from `batch.noise`.
    public func predict(_ batch: Batch) -> [Float] {
        guard policy.configuration.objective == .flowMatching else { return outputs(batch) }
        var batch = batch
        var actions = batch.noise
        for step in 0..<FlowTime.steps {
            // Mixing something with itself gives it again, whatever the time.
            (batch.actions, batch.noise) = (actions, actions)
            batch.time = [Float](repeating: Float(step) / Float(FlowTime.steps), count: batch.count)
            for (index, velocity) in outputs(batch).enumerated() { actions[index] += velocity / Float(FlowTime.steps) }
        }
        return actions
    }
}
