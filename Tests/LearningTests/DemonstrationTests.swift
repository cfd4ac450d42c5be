import Foundation
import TestKit
import Testing

@testable import Learning

/// Demonstrations from real HDF5, and files that are not what they should be.
@Suite struct DemonstrationTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let image = PolicyConfiguration(observation: .image)

    @Test(arguments: [(RobomimicReader.Split.train, 18), (.valid, 2)])
    func sampleDataAreReadBySplit(split: RobomimicReader.Split, count: Int) throws {
        let set = try RobomimicReader.read(Repository.example("sites/window-open.hdf5"), split: split, for: Self.image)
        #expect(set.demonstrationCount == count)
        #expect(set.tasks == ["window-open-v3"])
        var batch = Batch(count: 2, Self.image)
        set.fill(&batch, with: [0, set.count - 1])
        #expect(batch.state.allSatisfy { abs($0) <= 5 } && batch.actions.allSatisfy { abs($0) <= 1 } && batch.patches.allSatisfy { abs($0) <= 1 })
        // Neither sample is blank, and the last one repeats its last action to the end of the chunk.
        #expect(Set(batch.patches).count > 10)
        #expect(batch.actions[16..<20].elementsEqual(batch.actions[20..<24]))
    }

    @Test func everyObservationKindFitsTheSampleData() throws {
        for observation in [PolicyConfiguration.Observation.state, .image, .both] {
            let set = try RobomimicReader.read(Repository.example("sites/faucet-open.hdf5"), split: .valid, for: PolicyConfiguration(observation: observation))
            #expect(set.count > 0)
        }
    }

    @Test func dataThatDoNotFitThePolicyAreNamed() throws {
        let path = Repository.example("sites/window-open.hdf5")
        let wide = PolicyConfiguration(observation: .image, actionCount: 7)
        #expect { try RobomimicReader.read(path, split: .train, for: wide) } throws: { "\($0)".contains("actions has the shape") }
        let large = PolicyConfiguration(observation: .image, imageSide: 96)
        #expect { try RobomimicReader.read(path, split: .train, for: large) } throws: { "\($0)".contains("agentview_image has the shape") }
    }

    @Test func filesThatAreNoHDF5AreRefused() throws {
        #expect(throws: LearningError.self) { try RobomimicReader.read(directory.file("missing"), split: .train, for: Self.image) }
        let whole = try Data(contentsOf: URL(fileURLWithPath: Repository.example("sites/window-open.hdf5")))
        for count in [0, 8, 100, 4096, whole.count / 2] {
            let path = try directory.write("cut", Array(whole.prefix(count)))
            #expect(throws: LearningError.self) { try RobomimicReader.read(path, split: .train, for: Self.image) }
        }
    }

    @Test func wordsHashAsInTheBasePolicysTraining() {
        // 1 + FNV-1a("push") mod 511, computed independently.
        #expect(Tokenizer.ids("Push, and", count: 4, vocabulary: 512)[0] == 458)
        #expect(Tokenizer.ids("push", count: 1, vocabulary: 512) == Tokenizer.ids("PUSH!", count: 1, vocabulary: 512))
        #expect(Tokenizer.ids("a b c", count: 2, vocabulary: 512).count == 2)
        #expect(Tokenizer.ids("a", count: 3, vocabulary: 512).suffix(2) == [0, 0])
    }

    @Test func trainingOnRealDataLowersTheErrorOnHeldOutDemonstrations() throws {
        let policy = try Policy(.init(path: Repository.example("base/state.safetensors")))
        let path = Repository.example("sites/window-open.hdf5")
        let train = try RobomimicReader.read(path, split: .train, for: policy.configuration)
        let valid = try RobomimicReader.read(path, split: .valid, for: policy.configuration)
        let training = LocalTraining(steps: 60, batch: 32, schedule: Schedule(peak: 1e-3, warmupSteps: 5, steps: 60))
        let outcome = try training.run(from: policy, on: train, seed: SeededGenerator(seed: 1))
        #expect(Evaluation.error(of: outcome.policy, on: valid) < 0.5 * Evaluation.error(of: policy, on: valid))
    }
}
