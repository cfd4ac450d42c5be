import Contracts

extension PolicyTrainer {
    /// Returns the predicted actions, count × chunk × actionCount, in the contract's normalised units.
    ///
    /// For flow matching, they are computed in ten Euler steps from `batch.noise`.
    package func predict(_ batch: Batch) -> [Float] {
        guard policy.configuration.objective == .flowMatching else { return outputs(batch) }
        var batch = batch
        var actions = batch.noise
        for step in 0..<FlowTime.steps {
            // The network mixes actions and noise; if both are the current actions, the mix is the same at any time.
            (batch.actions, batch.noise) = (actions, actions)
            batch.time = [Float](repeating: Float(step) / Float(FlowTime.steps), count: batch.count)
            for (index, velocity) in outputs(batch).enumerated() { actions[index] += velocity / Float(FlowTime.steps) }
        }
        return actions
    }
}
