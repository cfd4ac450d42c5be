import Contracts
import Demonstrations
import Policies
import Tensors

/// The error of a policy's predicted actions, compared with an expert's.
package struct Evaluation: Equatable, Sendable {
    /// The mean absolute error over all samples and all actions of each sample's chunk, in normalised units.
    package let error: Double
    /// The mean absolute error of the actions that a robot would execute, with chunks averaged by `TemporalEnsemble`;
    /// one value for each dimension of the action, in its unit.
    package let executed: [Double]

    package init(of policy: Policy, on demonstrations: DemonstrationSet, threads: Int = 1) {
        let c = policy.configuration
        let predictions = Self.predictions(of: policy, on: demonstrations, threads: threads)
        let wanted = demonstrations.actions
        error = zip(predictions, wanted).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) } / Double(max(1, wanted.count))
        var sums = [Double](repeating: 0, count: c.actionCount)
        let width = c.chunk * c.actionCount
        for episode in demonstrations.episodes {
            var ensemble = TemporalEnsemble(actionCount: c.actionCount)
            for sample in episode {
                let action = ensemble.step(Array(predictions[sample * width..<(sample + 1) * width]))
                for number in 0..<c.actionCount {
                    sums[number] += Double(abs(action[number] - wanted[sample * width + number]))
                }
            }
        }
        executed = zip(sums, c.contract.action.dimensions).map {
            $0 * Double($1.std) / Double(max(1, demonstrations.count))
        }
    }

    /// Computes only ``error``.
    package static func error(of policy: Policy, on demonstrations: DemonstrationSet, threads: Int = 1) -> Double {
        Evaluation(of: policy, on: demonstrations, threads: threads).error
    }

    /// Returns chunk × actionCount values for each sample, in order.
    private static func predictions(of policy: Policy, on demonstrations: DemonstrationSet, threads: Int) -> [Float] {
        let size = Batch.largest(upTo: min(64, demonstrations.count), policy.configuration)
        let trainer = PolicyTrainer(policy, batch: size, threads: threads)
        var generator = SeededGenerator(seed: 0)
        var predictions: [Float] = []
        for start in stride(from: 0, to: demonstrations.count, by: size) {
            let indices = Array(start..<min(demonstrations.count, start + size))
            var batch = Batch(count: indices.count, policy.configuration)
            demonstrations.fill(&batch, with: indices)
            generator.fillNormal(&batch.noise)
            predictions += trainer.predict(batch)
        }
        return predictions
    }
}
