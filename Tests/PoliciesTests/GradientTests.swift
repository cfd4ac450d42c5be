import DemonstrationFixtures
@testable import Contracts
@testable import Policies
import Tensors
import Testing

/// Compares the gradient of each tensor with finite differences of the loss.
@Suite struct GradientTests {
    static let configuration = Shapes.small(.absoluteError)

    static func makePolicy(_ configuration: PolicyConfiguration = configuration, seed: UInt64) -> Policy {
        var generator = SeededGenerator(seed: seed)
        let weights = (0..<configuration.layout.elementCount).map { _ in Float.random(in: -0.5...0.5, using: &generator)
        }
        return Policy(configuration, weights: weights)
    }

    static func makeBatch(_ configuration: PolicyConfiguration = configuration, count: Int, seed: UInt64) -> Batch {
        var generator = SeededGenerator(seed: seed)
        var batch = Batch(count: count, configuration)
        func fill(_ values: inout [Float], _ range: ClosedRange<Float>) {
            for index in values.indices { values[index] = Float.random(in: range, using: &generator) }
        }
        fill(&batch.state, -1...1)
        fill(&batch.patches, -1...1)
        // Far from the predictions, so that the absolute error is differentiable.
        fill(&batch.actions, 8...9)
        fill(&batch.noise, -1...1)
        fill(&batch.time, 0...1)
        for index in batch.words.indices { batch.words[index] = Int32.random(in: 0..<11, using: &generator) }
        return batch
    }

    /// In the direction of the gradient, the derivative of the loss is the gradient's norm: one number checks a whole
    /// tensor.
    private func check(
        _ name: String,
        _ elements: Range<Int>,
        _ gradient: [Float],
        loss: (_ move: (Int) -> Float) -> Double
    ) {
        let norm = elements.reduce(0.0) { $0 + Double(gradient[$1]) * Double(gradient[$1]) }.squareRoot()
        guard norm > 1e-6 else { return }
        let step = 1e-2
        func at(_ sign: Double) -> Double {
            loss { elements.contains($0) ? Float(sign * step * Double(gradient[$0]) / norm) : 0 }
        }
        let difference = (at(1) - at(-1)) / (2 * step)
        #expect(abs(difference - norm) / norm < 2e-2, "\(name): \(difference) against \(norm)")
    }

    static let shapes: [PolicyConfiguration] = [
        Shapes.small(.absoluteError), Shapes.small(.squaredError, state: 0), Shapes.small(.flowMatching),
        Shapes.small(.flowMatching, words: 0, cameras: []),
        Shapes.small(
            .absoluteError,
            state: 0,
            words: 0,
            cameras: [Camera(key: "a", height: 4, width: 8), Camera(key: "b", height: 8, width: 4)]
        ),
    ]

    @Test(arguments: shapes)
    func everyTensorsGradientMatchesFiniteDifferences(configuration: PolicyConfiguration) throws {
        let policy = Self.makePolicy(configuration, seed: 1), batch = Self.makeBatch(configuration, count: 4, seed: 2)
        let (_, gradient) = PolicyTrainer(policy, batch: 4).gradients(batch)
        for tensor in policy.layout.tensors {
            check(tensor.name, tensor.range.lowerBound / 4..<tensor.range.upperBound / 4, gradient) { move in
                var moved = policy
                for index in moved.weights.indices { moved.weights[index] += move(index) }
                return Double(PolicyTrainer(moved, batch: 4).gradients(batch).loss)
            }
        }
    }

    @Test func everyFactorsGradientMatchesFiniteDifferences() throws {
        let policy = Self.makePolicy(seed: 4), batch = Self.makeBatch(count: 4, seed: 5)
        let layout = AdapterLayout(base: policy.layout, rank: 2, targets: ["qkv", "proj", "fc1", "fc2", "head"])
        var generator = SeededGenerator(seed: 6)
        let values = (0..<layout.layout.elementCount).map { _ in Float.random(in: -0.3...0.3, using: &generator) }
        func trainer(_ values: [Float]) -> PolicyTrainer {
            PolicyTrainer(policy, adapter: Adapter(layout, scale: 1.5, values: values), batch: 4)
        }
        let (_, gradient) = trainer(values).gradients(batch)
        for tensor in layout.layout.tensors {
            check(tensor.name, tensor.range.lowerBound / 4..<tensor.range.upperBound / 4, gradient) { move in
                Double(trainer(values.enumerated().map { $1 + move($0) }).gradients(batch).loss)
            }
        }
    }

    @Test func frozenFactorsStayAsTheyAreBitForBit() throws {
        let policy = Self.makePolicy(seed: 7)
        let layout = AdapterLayout(base: policy.layout, rank: 2, targets: ["fc1", "proj"])
        for (trained, frozen) in [(AdapterFactors.b, { (m: AdapterLayout.Module) in m.a }), (.a, { $0.b })] {
            var start = layout.initialValues(seed: 1)
            for index in start.indices where start[index] == 0 { start[index] = 0.1 }
            let trainer = PolicyTrainer(
                policy,
                adapter: Adapter(layout, scale: 2, trained: trained, values: start),
                batch: 4
            )
            for seed in 0..<3 { _ = trainer.step(Self.makeBatch(count: 4, seed: UInt64(seed)), learningRate: 1e-2) }
            let end = trainer.parameters
            for module in layout.modules {
                #expect(Array(end[frozen(module)]) == Array(start[frozen(module)]))
                #expect(
                    Array(end[frozen(module) == module.a ? module.b : module.a])
                        != Array(start[frozen(module) == module.a ? module.b : module.a])
                )
            }
        }
    }

    @Test func aBatchOfManySamplesGivesTheMeanOfItsParts() throws {
        // More samples than a thread processes at a time.
        let count = 2 * PolicyTrainer.microBatch(of: Self.configuration) + 3
        let policy = Self.makePolicy(seed: 8), batch = Self.makeBatch(count: count, seed: 9)
        let whole = PolicyTrainer(policy, batch: count).gradients(batch)
        let threads = PolicyTrainer(policy, batch: count, threads: 3).gradients(batch)
        #expect(
            ReferenceTests.relativeError(threads.gradient, whole.gradient) < 1e-5
                && abs(threads.loss - whole.loss) < 1e-4
        )
        #expect(
            PolicyTrainer(policy, batch: count, threads: 3).outputs(batch)
                == PolicyTrainer(policy, batch: count).outputs(batch)
        )
    }

    @Test func memoryIsTheStatedMultipleWhateverTheBatch() throws {
        let policy = Self.makePolicy(seed: 10)
        let activations = Workspace(Self.configuration, capacity: PolicyTrainer.microBatch(of: Self.configuration))
            .byteCount
        for (batch, threads) in [(64, 1), (64, 2), (4096, 2), (4096, 3)] {
            let stated = 4 * (3 + threads) * policy.weights.count + threads * activations
            #expect(PolicyTrainer(policy, batch: batch, threads: threads).byteCount == stated)
        }
    }

    @Test func sameSeedGivesTheSameWeightsBitForBit() {
        func train(threads: Int) -> [Float] {
            let trainer = PolicyTrainer(Self.makePolicy(seed: 3), batch: 8, threads: threads)
            for step in 0..<5 { _ = trainer.step(Self.makeBatch(count: 8, seed: UInt64(step)), learningRate: 1e-2) }
            return trainer.policy.weights
        }
        #expect(train(threads: 1).map(\.bitPattern) == train(threads: 1).map(\.bitPattern))
        #expect(train(threads: 2).map(\.bitPattern) == train(threads: 2).map(\.bitPattern))
    }
}
