import DemonstrationFixtures
@testable import Contracts
@testable import Demonstrations
import CHDF5
import Foundation
import TestKit
import Testing

@Suite("What a file says of itself must agree with the contract, and what cannot be checked is reported")
struct DemonstrationClaimTests: RecordingFixture {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func aSoundFileIsRead() throws {
        Recordings.write(path)
        for configuration in [Recordings.arm(), Recordings.arm(cameras: [Recordings.camera]), Recordings.arm(words: 0)]
        {
            #expect(
                Recordings.problem(path, configuration) == nil
                    && Recordings.problem(path, split: .valid, configuration) == nil
            )
        }
    }

    @Test func whatADemonstrationSaysOfItselfIsCompared() {
        Recordings.write(path) { $0.attribute("embodiment", of: "/data/demo_1", "other") }
        expect(Recordings.problem(path), says: "demo_1: its embodiment is other, but the contract is for arm")
        let count = directory.file("count.hdf5")
        Recordings.write(count) { $0.attribute("num_samples", of: "/data/demo_1", count: 12) }
        expect(Recordings.problem(count), says: "demo_1: num_samples is 12, but its actions have 6 steps")
    }

    @Test func whatIsDeclaredMustNotContradictTheFile() {
        Recordings.write(path) { $0.attribute("embodiment", of: "/data", "arm") }
        expect(
            Recordings.problem(path, declared: .init(embodiment: "leg")),
            says: "embodiment is arm, but leg was declared"
        )
        expect(
            Recordings.problem(path, declared: .init(controlHertz: 10)),
            says: "control_freq in env_args is 20.0, but control_hz was declared as 10.0"
        )
    }

    // MARK: The rate

    @Test(arguments: [
        (#"{"env_kwargs": {"control_freq": 10}, "reward_scale": NaN}"#, "env_args of /data is not JSON"),
        ("[20]", "env_args of /data is not a JSON object"),
        (#"{"env_kwargs": 20}"#, "env_kwargs in env_args of /data is not a JSON object"),
        (#"{"env_kwargs": {"control_freq": "20"}}"#, "control_freq in env_args of /data is not a positive number"),
        (#"{"env_kwargs": {"control_freq": null}}"#, "control_freq in env_args of /data is not a positive number"),
        (#"{"env_kwargs": {"control_freq": 10}}"#, "control_freq in env_args is 10.0; expected 20.0"),
    ])
    func aRateThatCannotBeCheckedIsNoPass(arguments: String, problem: String) {
        Recordings.write(path, rate: arguments)
        expect(Recordings.problem(path), says: problem)
        // If the file may contain a rate, a declaration does not replace it.
        expect(Recordings.problem(path, declared: .init(controlHertz: 20)), says: problem)
    }

    @Test(arguments: [nil, "{}", #"{"env_kwargs": {}}"#])
    func aRateThatIsNotSaidMayBeDeclared(arguments: String?) {
        Recordings.write(path, rate: arguments)
        expect(
            Recordings.problem(path),
            says: "cannot check that the data have 20.0 steps per second",
            "declare control_hz"
        )
        #expect(Recordings.problem(path, declared: .init(controlHertz: 20)) == nil)
        expect(
            Recordings.problem(path, declared: .init(controlHertz: 30)),
            says: "the declared control_hz is 30.0"
        )
        var any = Recordings.arm()
        any.contract.controlHertz = 0
        #expect(Recordings.problem(path, any) == nil)
    }

    @Test func whatIsSaidInAnotherTypeIsNoPass() {
        Recordings.write(path, rate: nil) { writer in
            writer.attribute("env_args", of: "/data", 20)
            writer.attribute("embodiment", of: "/data", 7)
        }
        expect(Recordings.problem(path), says: "the attribute embodiment of /data is not a text")
        let other = directory.file("other.hdf5")
        Recordings.write(other, rate: nil) { $0.attribute("env_args", of: "/data", 20) }
        expect(
            Recordings.problem(other, declared: .init(controlHertz: 20)),
            says: "the attribute env_args of /data is not a text"
        )
    }

    // MARK: Instructions

    @Test(
        arguments: [
            ([0x6F, 0xE9], "is not UTF-8"), ([0x6F, 0, 0x70], "NUL character"),
            (Array("open \u{7}".utf8), "contains U+0007"),
            (Array("\u{FEFF}open".utf8), "contains U+FEFF"),
            (
                Array("one two three four five six".utf8),
                "has 6 words, but the policy reads 4: it would not see five, six"
            ),
        ] as [([UInt8], String)]
    )
    func anInstructionThatThePolicyWouldNotSeeWholeIsRefused(bytes: [UInt8], problem: String) {
        Recordings.write(path) { writer in
            writer.attribute("other", of: "/data/demo_1", bytes: bytes)
            writer.attribute("other", of: "/data/demo_0", "push")
        }
        var policy = Recordings.arm()
        policy.contract.instruction = "other"
        expect(Recordings.problem(path, policy), says: "demo_1: ", problem)
    }

    /// Other programs may read the bytes after the NUL at which this program would stop.
    @Test func nothingIsReadOnlyUpToANUL() {
        Recordings.write(path) { writer in
            for demonstration in ["demo_0", "demo_1"] {
                writer.attribute(
                    "other",
                    of: "/data/\(demonstration)",
                    bytes: Array("Push\0open\0".utf8),
                    padding: H5T_STR_NULLTERM
                )
            }
        }
        var policy = Recordings.arm()
        policy.contract.instruction = "other"
        expect(Recordings.problem(path, policy), says: "NUL character")
    }

    @Test func aTextOfAnyLengthIsReadToItsEnd() throws {
        Recordings.write(path) { writer in
            for demonstration in ["demo_0", "demo_1"] {
                writer.attribute("other", of: "/data/\(demonstration)", variable: "pushXopen")
            }
        }
        var policy = Recordings.arm()
        policy.contract.instruction = "other"
        #expect(Recordings.problem(path, policy) == nil)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        while let place = bytes.range(of: Data("pushXopen".utf8)) { bytes[place.lowerBound + 4] = 0 }
        try bytes.write(to: URL(fileURLWithPath: path))
        expect(Recordings.problem(path, policy), says: "NUL character")
    }

    @Test func anInstructionHasALimit() {
        Recordings.write(path)
        var policy = Recordings.arm()
        policy.contract.instruction = "absent"
        let text = String(repeating: "x", count: 4097)
        expect(Recordings.problem(path, policy, declared: .init(instruction: text)), says: "is longer than 4096 bytes")
    }

    @Test func anInstructionThatIsANumberIsNotReplacedByAnother() {
        Recordings.write(path) { $0.attribute("number", of: "/data/demo_0", 3) }
        var policy = Recordings.arm()
        policy.contract.instruction = "number"
        expect(
            Recordings.problem(path, policy, declared: .init(instruction: "push")),
            says: "the attribute number of /data/demo_0 is not a text"
        )
    }

    @Test func instructionsInPeoplesOwnLanguagesAreSeen() throws {
        Recordings.write(path)
        var policy = Recordings.arm()
        policy.contract.instruction = "absent"
        func words(_ instruction: String) throws -> [Int32] {
            var batch = Batch(count: 1, policy)
            try DemonstrationFiles.read(path, split: .train, for: policy, declared: .init(instruction: instruction))
                .fill(&batch, with: [0])
            return batch.words
        }
        for (one, other) in [
            ("窓を開ける", "窓を閉める"), ("open drawer １", "open drawer ２"), ("Öffne", "Offne"), ("press 🔴", "press 🔵"),
        ] {
            #expect(try words(one) != words(other) && words(one).contains { $0 != 0 })
        }
        #expect(try words("caf\u{E9}") == words("cafe\u{301}"))
    }
}
