@testable import Demonstrations
@testable import Policies
@testable import Trainers
import TestKit
import Tensors
import Testing

/// Models and trainings with values that are not finite or are far too large.
@Suite struct FiniteTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func policy() throws -> Policy {
        try Policy(SafetensorsFile(path: Repository.example("base/state.safetensors")))
    }

    private func demonstrations(_ policy: Policy) throws -> DemonstrationSet {
        try DemonstrationFiles.read(
            Repository.example("sites/window-open.hdf5"),
            split: .train,
            for: policy.configuration
        )
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func aModelWithAValueThatIsNotFiniteIsRefused(value: Float)
        throws
    {
        var policy = try policy()
        let tensor = try #require(policy.layout["blocks.1.fc1.weight"])
        policy.weights[tensor.range.lowerBound / 4 + 2 * tensor.shape[1] + 5] = value
        let path = directory.file("m.safetensors")
        try policy.write(to: path)
        let error = #expect(throws: NotFiniteError.self) { try Policy(SafetensorsFile(path: path)) }
        #expect(error?.tensor == "blocks.1.fc1.weight" && error?.index == [2, 5] && error?.file == path)
    }

    @Test func aModelWithoutAConfigOrWithAnotherOnesTensorsIsRefusedByName() throws {
        let policy = try policy()
        func write(_ tensors: [TensorDescription], config: String?) throws -> String {
            let layout = TensorLayout(tensors.map { (name: $0.name, type: $0.type, shape: $0.shape) })
            let writer = try SafetensorsWriter(
                path: directory.file("m"),
                layout: layout,
                metadata: config.map { [(name: "config", value: $0)] } ?? []
            )
            try writer.append([Float](repeating: 0, count: layout.elementCount))
            try writer.finish()
            return directory.file("m")
        }
        func refused(_ path: String, _ text: String) {
            #expect(
                performing: { try Policy(SafetensorsFile(path: path)) },
                throws: { "\($0)".contains(text) && "\($0)".contains(path) }
            )
        }
        let tensors = policy.layout.tensors, config = policy.configuration.json
        try refused(write(tensors, config: nil), "has no config in its metadata")
        try refused(write(tensors, config: "{}"), "another type")
        try refused(write(tensors.filter { $0.name != "head.bias" }, config: config), "head.bias is missing")
        let extra = TensorDescription(name: "extra", type: .f32, shape: [1], range: 0..<4)
        try refused(write(tensors + [extra], config: config), "the config has no tensor extra")
        let wrong = tensors.map {
            $0.name == "pos"
                ? TensorDescription(name: "pos", type: .f32, shape: $0.shape.reversed(), range: $0.range) : $0
        }
        try refused(write(wrong, config: config), "pos has the shape")
    }

    /// A worker that was stopped after a diverged step must not resume there forever.
    @Test func aSnapshotThatDivergedIsNoStart() throws {
        let policy = try policy(), data = try demonstrations(policy)
        let training = LocalTraining(steps: 4, batch: 4, schedule: Schedule(peak: 1e-3, steps: 4))
        let zeros = [Float](repeating: 0, count: policy.weights.count),
            odd = [Float](repeating: .nan, count: policy.weights.count)
        let snapshot = TrainingSnapshot(step: 2, generator: 1, lossSum: 1, weights: odd, m: zeros, v: zeros)
        let error = #expect(throws: TrainingDivergence.self) {
            try training.run(from: policy, on: data, seed: SeededGenerator(seed: 1), resuming: snapshot)
        }
        #expect(error?.step == 3)
    }

    @Test(arguments: [false, true]) func aTrainingThatDivergesThrows(withAdapter: Bool) throws {
        let policy = try policy(), data = try demonstrations(policy)
        let layout = AdapterLayout(base: policy.layout, rank: 2, targets: ["fc1", "qkv"])
        let adapter = withAdapter ? Adapter(layout, scale: 1, values: layout.initialValues(seed: 1)) : nil
        let training = LocalTraining(steps: 8, batch: 4, schedule: Schedule(peak: 1e38, steps: 8))
        var heard: [Float] = []
        let error = #expect(throws: TrainingDivergence.self) {
            try training.run(from: policy, adapter: adapter, on: data, seed: SeededGenerator(seed: 1)) {
                heard.append($0.loss)
            }
        }
        #expect(error.map { (1...8).contains($0.step) && $0.steps == 8 } ?? false, "\(String(describing: error))")
        #expect(heard.allSatisfy { $0.isFinite })
    }

    /// A result can be finite but useless.
    @Test func aLossThatRisesOutOfAllProportionIsADivergence() {
        func divergence(_ losses: [Float], from first: Float? = nil) -> String? {
            var range = LossRange(first)
            for loss in losses { range.add(loss) }
            return range.divergence
        }
        #expect(divergence([0.5] + [Float](repeating: 120, count: 10)) == "the loss rose from 0.5 to 120.0")
        #expect(divergence([0.5] + [Float](repeating: 90, count: 10)) == nil)
        // If the contract's statistics differ from those of the data, the first loss is high.
        #expect(divergence([5e4, 4e4, 3e4]) == nil)
        #expect(divergence([2e4], from: 0.1) != nil && divergence([]) == nil)
    }

    /// The loss of a step is computed before its change, so no loss shows the effect of the last step.
    @Test func theLastStepsWeightsAreLookedAtToo() throws {
        let policy = try policy(), data = try demonstrations(policy)
        let training = LocalTraining(
            steps: 1,
            batch: 4,
            schedule: Schedule(peak: 3e38, steps: 1),
            optimizer: AdamW.Settings(weightDecay: 0)
        )
        let error = #expect(throws: TrainingDivergence.self) {
            try training.run(from: policy, on: data, seed: SeededGenerator(seed: 1))
        }
        #expect(error?.step == 1 && error?.what.contains("loss") == false, "\(String(describing: error))")
    }
}
