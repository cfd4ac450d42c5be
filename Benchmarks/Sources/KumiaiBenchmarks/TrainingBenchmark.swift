import Foundation
import Learning

/// Samples a second of one training step (forward, backward, clipping, AdamW), full fine-tuning.
enum TrainingBenchmark {
    static func run() throws -> [String: Double] {
        var values: [String: Double] = [:]
        for (name, observation) in [("state", PolicyConfiguration.Observation.state), ("image", .image)] {
            for threads in [1, 2] {
                values["native_\(name)_b32_t\(threads)"] = rate(PolicyConfiguration(observation: observation), batch: 32, threads: threads)
            }
        }
        return values
    }

    private static func rate(_ configuration: PolicyConfiguration, batch count: Int, threads: Int) -> Double {
        var generator = SeededGenerator(seed: 1)
        let weights = (0..<configuration.layout.elementCount).map { _ in Float.random(in: -0.05...0.05, using: &generator) }
        let trainer = Trainer(Policy(configuration, weights: weights), batch: count, threads: threads)
        var batch = Batch(count: count, configuration)
        for index in batch.state.indices { batch.state[index] = .random(in: -1...1, using: &generator) }
        for index in batch.patches.indices { batch.patches[index] = .random(in: -1...1, using: &generator) }
        for index in batch.actions.indices { batch.actions[index] = .random(in: -1...1, using: &generator) }
        for index in batch.words.indices { batch.words[index] = .random(in: 0..<512, using: &generator) }
        for _ in 0..<5 { _ = trainer.step(batch, learningRate: 1e-3) }
        let steps = 60
        return Main.median(3) { Double(steps * count) / Main.seconds { for _ in 0..<steps { _ = trainer.step(batch, learningRate: 1e-3) } } }
    }
}
