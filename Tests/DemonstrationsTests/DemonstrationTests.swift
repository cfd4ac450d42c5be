import DemonstrationFixtures
@testable import Contracts
@testable import Demonstrations
@testable import Policies
@testable import Trainers
import Tensors
import Foundation
import TestKit
import Testing

/// Demonstrations from real HDF5 files, and invalid files.
@Suite struct DemonstrationTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: [(Split.train, 18), (.valid, 2)])
    func sampleDataAreReadBySplit(split: Split, count: Int) throws {
        let image = try Shapes.example("image")
        let set = try DemonstrationFiles.read(Repository.example("sites/window-open.hdf5"), split: split, for: image)
        #expect(set.demonstrationCount == count)
        #expect(set.tasks == ["window-open-v3"])
        var batch = Batch(count: 2, image)
        set.fill(&batch, with: [0, set.count - 1])
        #expect(
            batch.state.allSatisfy { abs($0) <= 5 } && batch.actions.allSatisfy { abs($0) <= 1 }
                && batch.patches.allSatisfy { abs($0) <= 1 }
        )
        // Neither sample is blank, and the last one repeats its last action to the end of the chunk.
        #expect(Set(batch.patches).count > 10)
        #expect(batch.actions[16..<20].elementsEqual(batch.actions[20..<24]))
    }

    @Test func everyPartOfAnObservationMayBeAbsent() throws {
        var blind = try Shapes.both(), silent = try Shapes.both(), vision = try Shapes.both()
        blind.contract.cameras = []
        (silent.words, silent.contract.instruction) = (0, "")
        (vision.words, vision.contract.instruction, vision.contract.state) = (0, "", [])
        for configuration in [try Shapes.both(), blind, silent, vision] {
            let set = try DemonstrationFiles.read(
                Repository.example("sites/faucet-open.hdf5"),
                split: .valid,
                for: configuration
            )
            #expect(set.count > 0)
        }
    }

    @Test func allThatDoesNotFitIsNamedAtOnce() throws {
        let path = Repository.example("sites/window-open.hdf5")
        var other = try Shapes.example("image")
        other.contract.action.dimensions.append(.init(name: "wrist"))
        other.contract.cameras = [
            Camera(key: "agentview_image", height: 96, width: 96), Camera(key: "wrist_image", height: 48, width: 48),
        ]
        other.contract.state = [
            StateFeature(key: "robot0_eef_pos", unit: "m", mean: [0, 0], std: [1, 1]),
            StateFeature(key: "torque", mean: [0], std: [1]),
        ]
        #expect { try DemonstrationFiles.read(path, split: .train, for: other) } throws: { error in
            let text = "\(error)"
            return [
                "actions has the shape", "agentview_image has the shape", "wrist_image is missing",
                "robot0_eef_pos has the shape", "torque is missing",
            ]
            .allSatisfy(text.contains)
        }
    }

    @Test func dataInOtherUnitsAreNamed() throws {
        let path = Repository.example("sites/window-open.hdf5")
        var millimetres = try Shapes.example("image")
        millimetres.contract.state[0].mean = [0, 650, 150]
        millimetres.contract.state[0].std = [0.01, 0.01, 0.01]
        #expect { try DemonstrationFiles.read(path, split: .train, for: millimetres) } throws: {
            "\($0)".contains("robot0_eef_pos is beyond")
        }
        var degrees = try Shapes.example("image")
        for index in 0..<4 {
            (degrees.contract.action.dimensions[index].minimum, degrees.contract.action.dimensions[index].maximum) = (
                10, 20
            )
        }
        #expect { try DemonstrationFiles.read(path, split: .train, for: degrees) } throws: {
            "\($0)".contains("action x is outside 10.0 to 20.0")
        }
    }

    @Test func anotherRobotIsNamed() throws {
        let path = Repository.example("sites/window-open.hdf5"), image = try Shapes.example("image")
        #expect {
            try DemonstrationFiles.read(path, split: .train, for: image, declared: .init(embodiment: "ur5"))
        } throws: {
            "\($0)".contains("embodiment is ur5, but the contract is for sawyer")
        }
        var sawyer = Shapes.aloha
        sawyer.contract.embodiment = "sawyer"
        #expect { try DemonstrationFiles.read(Self.aloha, split: .train, for: sawyer) } throws: {
            "\($0)".contains("embodiment is aloha")
        }
    }

    // MARK: ALOHA

    static let aloha = Repository.path("Tests/DemonstrationsTests/Aloha")

    @Test func alohaDirectoriesAreReadWithTheLastEpisodeHeldOut() throws {
        let c = Shapes.aloha
        let train = try DemonstrationFiles.read(Self.aloha, split: .train, for: c),
            valid = try DemonstrationFiles.read(Self.aloha, split: .valid, for: c)
        #expect(train.episodes == [0..<6, 6..<13] && valid.episodes == [0..<8])
        var batch = Batch(count: 1, c)
        train.fill(&batch, with: [0])
        // Images of half the size: 12 × 16 in patches of 4; the upper left quarter of each camera is bright.
        let brightness = (0..<c.patches).map { batch.patches[$0 * c.patchPixels] }
        let bright = Float(200) / 127.5 - 1
        #expect(
            brightness.prefix(4).elementsEqual([bright, bright, -1, -1]) && brightness.suffix(4).allSatisfy { $0 == -1 }
        )
        #expect(batch.actions.count == 3 * 14)
    }

    @Test func alohaActionsAreNormalisedAsTheContractSays() throws {
        var raw = Shapes.aloha
        for index in raw.contract.action.dimensions.indices {
            (raw.contract.action.dimensions[index].mean, raw.contract.action.dimensions[index].std) = (0, 1)
        }
        let path = Self.aloha + "/episode_0.hdf5"
        var normalised = Batch(count: 1, Shapes.aloha), plain = Batch(count: 1, raw)
        try DemonstrationFiles.read(path, split: .train, for: Shapes.aloha).fill(&normalised, with: [2])
        try DemonstrationFiles.read(path, split: .train, for: raw).fill(&plain, with: [2])
        for (a, b) in zip(normalised.actions, plain.actions) { #expect(abs(a - (b - 0.5) / 2) < 1e-6) }
    }

    @Test func dataThatDifferHaveAnotherFingerprint() throws {
        let path = Self.aloha + "/episode_0.hdf5"
        var speaking = Shapes.aloha
        (speaking.words, speaking.contract.instruction) = (4, "language_instruction")
        func fingerprint(_ instruction: String) throws -> UInt64 {
            try DemonstrationFiles.read(path, split: .train, for: speaking, declared: .init(instruction: instruction))
                .fingerprint
        }
        #expect(try fingerprint("open it") == fingerprint("open it"))
        #expect(try fingerprint("open it") != fingerprint("close it"))
    }

    @Test func batchesThatWouldTakeAllMemoryAreRefused() throws {
        try Batch.check(count: 65_536, Shapes.aloha, hint: "")
        let large = Shapes.small(.absoluteError, cameras: [Camera(key: "c", height: 1024, width: 1024)])
        #expect { try Batch.check(count: 1024, large, hint: "smaller") } throws: {
            "\($0)".contains("1024 samples") && ($0 as? ContractError)?.hint == "smaller"
        }
        #expect(Batch.largest(upTo: 1024, large) == 341 && Batch.largest(upTo: 8, large) == 8)
    }

    @Test func anInstructionMayBeDeclaredWhereFilesHaveNone() throws {
        var speaking = Shapes.aloha
        (speaking.words, speaking.contract.instruction) = (4, "language_instruction")
        #expect { try DemonstrationFiles.read(Self.aloha, split: .train, for: speaking) } throws: {
            "\($0)".contains("language_instruction is missing")
        }
        let set = try DemonstrationFiles.read(
            Self.aloha,
            split: .train,
            for: speaking,
            declared: .init(instruction: "Transfer the cube")
        )
        #expect(set.tasks == ["Transfer the cube"])
        #expect {
            try DemonstrationFiles.read(Self.aloha, split: .train, for: speaking, declared: .init(instruction: "..."))
        } throws: { "\($0)".contains("the instruction \"...\" has no word") }
    }

    @Test func filesThatAreNoHDF5AreRefused() throws {
        #expect(throws: ContractError.self) {
            try DemonstrationFiles.read(directory.file("missing"), split: .train, for: Shapes.example("image"))
        }
        let whole = try Data(contentsOf: URL(fileURLWithPath: Repository.example("sites/window-open.hdf5")))
        for count in [0, 8, 100, 4096, whole.count / 2] {
            let path = try directory.write("cut", Array(whole.prefix(count)))
            #expect(throws: ContractError.self) {
                try DemonstrationFiles.read(path, split: .train, for: Shapes.example("image"))
            }
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
        let train = try DemonstrationFiles.read(path, split: .train, for: policy.configuration)
        let valid = try DemonstrationFiles.read(path, split: .valid, for: policy.configuration)
        let training = LocalTraining(steps: 60, batch: 32, schedule: Schedule(peak: 1e-3, warmupSteps: 5, steps: 60))
        let outcome = try training.run(from: policy, on: train, seed: SeededGenerator(seed: 1))
        #expect(Evaluation.error(of: outcome.policy, on: valid) < 0.5 * Evaluation.error(of: policy, on: valid))
    }
}
