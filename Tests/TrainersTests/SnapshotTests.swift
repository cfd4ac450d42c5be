import DemonstrationFixtures
@testable import Contracts
@testable import Demonstrations
@testable import Policies
@testable import Trainers
import Tensors
import TestKit
import Testing

/// An interrupted and resumed training ends with the same weights, bit for bit.
@Suite struct SnapshotTests {
    struct Stopped: Error {}

    @Test func aTrainingGoesOnFromItsSnapshotToTheSameBits() throws {
        let policy = try Policy(.init(path: Repository.example("base/state.safetensors")))
        let data = try DemonstrationFiles.read(
            Repository.example("sites/window-open.hdf5"),
            split: .train,
            for: policy.configuration
        )
        let training = LocalTraining(steps: 12, batch: 8, schedule: .round(rate: 1e-3, steps: 12))
        let seed = SeededGenerator(seed: 3, label: "s", round: 2)
        let whole = try training.run(from: policy, on: data, seed: seed)
        let directory = try TemporaryDirectory()
        #expect(throws: Stopped.self) {
            try training.run(from: policy, on: data, seed: seed) { progress in
                guard progress.step == 7 else { return }
                try progress.snapshot().write(to: directory.file("s"), task: "task")
                throw Stopped()
            }
        }
        let snapshot = try #require(
            try TrainingSnapshot(reading: directory.file("s"), task: "task", parameters: policy.weights.count)
        )
        #expect(snapshot.step == 7)
        var steps: [Int] = []
        let rest = try training.run(from: policy, on: data, seed: seed, resuming: snapshot) { steps.append($0.step) }
        #expect(steps == Array(8...12))
        #expect(rest.policy.weights == whole.policy.weights && rest.loss == whole.loss)
        #expect(
            try TrainingSnapshot(reading: directory.file("s"), task: "another", parameters: policy.weights.count) == nil
        )
    }

    @Test func aSetOfDemonstrationsSurvivesItsFile() throws {
        let directory = try TemporaryDirectory()
        for configuration in [try Shapes.example("state"), try Shapes.both()] {
            let set = try DemonstrationFiles.read(
                Repository.example("sites/window-open.hdf5"),
                split: .valid,
                for: configuration
            )
            try set.write(to: directory.file("set"))
            let again = try DemonstrationSet(reading: directory.file("set"), for: configuration)
            #expect(again.count == set.count && again.tasks == set.tasks && again.episodes == set.episodes)
            var (one, other) = (Batch(count: 3, configuration), Batch(count: 3, configuration))
            set.fill(&one, with: [0, 1, set.count - 1])
            again.fill(&other, with: [0, 1, set.count - 1])
            #expect(
                one.state == other.state && one.words == other.words && one.patches == other.patches
                    && one.actions == other.actions
            )
            #expect(throws: ContractError.self) {
                try DemonstrationSet(reading: directory.file("set"), for: Shapes.example("image"))
            }
        }
    }
}
