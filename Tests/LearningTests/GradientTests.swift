import Testing

@testable import Learning

/// Each part's gradient against finite differences of the loss.
@Suite struct GradientTests {
    static let configuration = PolicyConfiguration(
        observation: .both, imageSide: 8, patchSide: 4, words: 3, vocabulary: 11, width: 12, layers: 2, heads: 2,
        feedForward: 20, chunk: 2, actionCount: 3)

    static func makePolicy(seed: UInt64) -> Policy {
        var generator = SeededGenerator(seed: seed)
        let weights = (0..<configuration.layout.elementCount).map { _ in Float.random(in: -0.5...0.5, using: &generator) }
        return Policy(configuration, weights: weights)
    }

    static func makeBatch(count: Int, seed: UInt64) -> Batch {
        var generator = SeededGenerator(seed: seed)
        var batch = Batch(count: count, configuration)
        func fill(_ values: inout [Float], _ range: ClosedRange<Float>) {
            for index in values.indices { values[index] = Float.random(in: range, using: &generator) }
        }
        fill(&batch.state, -1...1)
        fill(&batch.patches, -1...1)
        // Far from the predictions, where the absolute error has no kink.
        fill(&batch.actions, 8...9)
        for index in batch.words.indices { batch.words[index] = Int32.random(in: 0..<11, using: &generator) }
        return batch
    }

    static let tensors = configuration.layout.tensors.map(\.name)

    @Test(arguments: tensors)
    func gradientMatchesFiniteDifferences(tensor name: String) throws {
        let policy = Self.makePolicy(seed: 1)
        let batch = Self.makeBatch(count: 4, seed: 2)
        let (_, gradient) = Trainer(policy, batch: 4).gradients(batch)
        let range = try #require(policy.layout[name]).range
        let elements = range.lowerBound / 4..<range.upperBound / 4
        // Along the gradient itself the loss changes by its squared norm: one number that checks the whole tensor.
        let norm = elements.reduce(0.0) { $0 + Double(gradient[$1]) * Double(gradient[$1]) }.squareRoot()
        guard norm > 1e-7 else { return }
        let step = 2e-2
        func loss(_ sign: Double) -> Double {
            var moved = policy
            for index in elements { moved.weights[index] += Float(sign * step * Double(gradient[index]) / norm) }
            return Double(Trainer(moved, batch: 4).gradients(batch).loss)
        }
        let difference = (loss(1) - loss(-1)) / (2 * step)
        #expect(abs(difference - norm) / norm < 2e-2, "\(name): \(difference) against \(norm)")
    }

    @Test func sameSeedGivesTheSameWeightsBitForBit() {
        func train(threads: Int) -> [Float] {
            let trainer = Trainer(Self.makePolicy(seed: 3), batch: 8, threads: threads)
            for step in 0..<5 { _ = trainer.step(Self.makeBatch(count: 8, seed: UInt64(step)), learningRate: 1e-2) }
            return trainer.policy.weights
        }
        #expect(train(threads: 1).map(\.bitPattern) == train(threads: 1).map(\.bitPattern))
        #expect(train(threads: 2).map(\.bitPattern) == train(threads: 2).map(\.bitPattern))
    }
}
