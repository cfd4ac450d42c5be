import DemonstrationFixtures
@testable import Contracts
@testable import Demonstrations
import CHDF5
import Foundation
import TestKit
import Testing

/// The metadata of demonstrations are checked against their values and the contract; whatever cannot be checked is
/// reported.
@Suite struct DemonstrationClaimTests {
    let directory: TemporaryDirectory
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("recorded.hdf5")
    }

    private func expect(_ problem: String?, says parts: String..., at location: SourceLocation = #_sourceLocation) {
        for part in parts {
            #expect(problem?.contains(part) == true, "\(problem ?? "no error")", sourceLocation: location)
        }
    }

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

    // MARK: Masks

    @Test(arguments: Split.allOfThem)
    func masksThatOverlapAreRefused(split: Split) {
        Recordings.write(path) { $0.replaceNames("/mask/valid", ["demo_1", "demo_2"]) }
        expect(Recordings.problem(path, split: split), says: "demo_1 is listed in both /mask/train and /mask/valid")
    }

    @Test func aMaskThatNamesADemonstrationTwiceIsRefused() {
        Recordings.write(path) { $0.replaceNames("/mask/train", ["demo_0", "demo_1", "demo_0"]) }
        expect(Recordings.problem(path), says: "demo_0 is listed twice in /mask/train")
    }

    @Test func twoNamesOfOneDemonstrationAreRefused() {
        Recordings.write(path) { writer in
            writer.hardLink("/data/demo_7", to: "/data/demo_0")
            writer.softLink("/data/demo_8", to: "demo_2")
            writer.replaceNames("/mask/train", ["demo_0", "demo_7", "demo_8"])
        }
        expect(
            Recordings.problem(path),
            says: "demo_7, which has the same actions as demo_0, is listed twice in /mask/train",
            "demo_2, which has the same actions as demo_8, is listed in both"
        )
    }

    @Test func oneDatasetOfActionsInTwoDemonstrationsIsRefused() {
        Recordings.write(path) { writer in
            writer.remove("/data/demo_2/actions")
            writer.hardLink("/data/demo_2/actions", to: "/data/demo_0/actions")
        }
        expect(Recordings.problem(path), says: "demo_2, which has the same actions as demo_0, is listed in both")
    }

    @Test func aMaskThatNamesWhatIsNotThereIsRefused() {
        Recordings.write(path) { $0.replaceNames("/mask/valid", ["demo_2", "demo_9"]) }
        expect(Recordings.problem(path), says: "/data does not have demo_9 of /mask/valid")
    }

    @Test func aFileThatHoldsNothingOutIsRead() throws {
        Recordings.write(path) { $0.remove("/mask/valid") }
        #expect(try DemonstrationFiles.read(path, split: .train, for: Recordings.arm()).summary.heldOut == 0)
        expect(Recordings.problem(path, split: .valid), says: "/mask/valid is missing")
    }

    // MARK: Types, shapes, values

    @Test func imagesOfOtherTypesAreRefusedByTypeAndRange() {
        let shape = [Recordings.steps, 4, 4, 3], count = Recordings.steps * 48,
            policy = Recordings.arm(cameras: [Recordings.camera])
        let writers: [(String, (HDF5Writer, String) -> Void)] = [
            ("uint16 with values from 0.0 to 4095.0", { $0.words($1, shape, (0..<count).map { $0 == 7 ? 4095 : 0 }) }),
            (
                "int8 with values from -128.0 to 1.0",
                { $0.signedBytes($1, shape, (0..<count).map { $0 == 7 ? -128 : 1 }) }
            ),
            ("float32 with values from 0.0 to 0.5", { $0.floats($1, shape, (0..<count).map { $0 == 7 ? 0.5 : 0 }) }),
        ]
        for (index, (text, write)) in writers.enumerated() {
            let path = directory.file("\(index).hdf5")
            Recordings.write(path) { writer in
                writer.remove("/data/demo_1/obs/front")
                write(writer, "/data/demo_1/obs/front")
            }
            expect(
                Recordings.problem(path, policy),
                says: "demo_1: /data/demo_1/obs/front contains \(text); expected uint8 from 0 to 255"
            )
        }
    }

    @Test func anEmptyDemonstrationIsNamedWithItsShape() {
        Recordings.write(path) { $0.replaceActions(of: "demo_1", []) }
        expect(
            Recordings.problem(path),
            says: "demo_1: /data/demo_1/actions has the shape [0, 2]: the demonstration is empty"
        )
    }

    @Test func valuesThatAreNoNumbersAreNamed() {
        Recordings.write(path) { writer in
            var values = Recordings.eef()
            (values[7], values[8]) = (.nan, .infinity)
            writer.replaceState(of: "demo_1", values)
        }
        expect(
            Recordings.problem(path),
            says: "/data/demo_1/obs/eef has 2 values that are not finite as float32, the first in step 2, number 1"
        )
    }

    @Test func oneValueFarOutsideTheContractIsRefused() {
        Recordings.write(path) { writer in
            // One of 400 values: the limits on shares do not detect it.
            var values = Recordings.actions(200)
            values[35] = 1e6
            writer.replaceActions(of: "demo_1", values)
            writer.replaceState(of: "demo_1", Recordings.eef(200))
        }
        expect(
            Recordings.problem(path),
            says: "action b is 1000000.0 in step 17 of demo_1, further outside -1.0 to 1.0 rad"
        )
    }

    @Test func aFewValuesBesideTheContractsRangeAreCounted() throws {
        Recordings.write(path) { writer in
            var values = Recordings.actions(200)
            (values[35], values[36]) = (1.5, -1.01)
            writer.replaceActions(of: "demo_1", values)
            writer.replaceState(of: "demo_1", Recordings.eef(200))
        }
        let found = try DemonstrationFiles.read(path, split: .train, for: Recordings.arm()).summary.actions
        #expect(
            found.map(\.name) == ["a", "b"] && found.map(\.outside) == [1, 1] && found[0].least == -1.01
                && found[1].largest == 1.5
        )
        #expect(found.allSatisfy { $0.contractLeast == -1 && $0.contractLargest == 1 && $0.unit == "rad" })
    }

    @Test func oneValueOfTheStateThatNoRobotHasIsRefused() throws {
        func write(_ path: String, _ value: Float) {
            Recordings.write(path) { writer in
                var values = Recordings.eef()
                values[10] = value
                writer.replaceState(of: "demo_1", values)
            }
        }
        write(path, 1e6)
        expect(
            Recordings.problem(path),
            says: "eef[1] is 1000000.0 in step 3 of demo_1, more than 1000 std from its mean (1 of 12 values"
        )
        let near = directory.file("near.hdf5")
        write(near, 8)
        let state = try DemonstrationFiles.read(near, split: .train, for: Recordings.arm()).summary.state
        #expect(state.map(\.outside) == [0, 1, 0] && state[1].largest == 8 && state[1].contractLargest == 5)
    }

    @Test func aRangeAlmostAsWideAsFloat32IsCheckedToo() {
        Recordings.write(path) {
            $0.replaceActions(of: "demo_0", [Float](repeating: 3.4e38, count: 2 * Recordings.steps))
        }
        var wide = Recordings.arm()
        (wide.contract.action.dimensions[0].minimum, wide.contract.action.dimensions[0].maximum) = (-3e38, 3e38)
        wide.contract.action.dimensions[1] = wide.contract.action.dimensions[0]
        expect(Recordings.problem(path, wide), says: "50 % of action a is outside")
    }

    @Test func whatWasFoundIsSummedUpAndSurvivesItsFile() throws {
        let policy = Recordings.arm(cameras: [Recordings.camera])
        Recordings.write(path) { writer in
            writer.remove("/data/demo_1/obs/front")
            writer.bytes(
                "/data/demo_1/obs/front",
                [Recordings.steps, 8, 8, 3],
                [UInt8](repeating: 9, count: Recordings.steps * 192)
            )
            writer.attribute("embodiment", of: "/data", "arm")
        }
        let set = try DemonstrationFiles.read(path, split: .train, for: policy), found = set.summary
        #expect(found.embodiment == "arm" && found.controlHertz == 20 && found.heldOut == 1)
        #expect(
            found.instructions == [.init(text: "push the button", demonstrations: 2, alike: nil)]
                && found.instructionCount == 1
        )
        #expect(
            found.images == [
                .init(camera: "front", height: 4, width: 4, count: 6, least: 0, largest: 250),
                .init(camera: "front", height: 8, width: 8, count: 6, least: 9, largest: 9),
            ]
        )
        #expect(
            found.state.map(\.name) == ["eef[0]", "eef[1]", "eef[2]"]
                && found.state.allSatisfy { $0.contractLargest == 5 && $0.outside == 0 }
        )
        try set.write(to: directory.file("set"))
        #expect(try DemonstrationSet(reading: directory.file("set"), for: policy).summary == found)
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

    @Test func aDemonstrationCountsOnce() {
        Recordings.write(path) { $0.replaceState(of: "demo_1", Recordings.eef(of: 0)) }
        expect(Recordings.problem(path), says: "demo_1: it is the same demonstration as demo_0")
        // With another spelling of the instruction, or −0 instead of 0, it is the same for the policy.
        for (index, (one, other)) in [("caf\u{E9}", "cafe\u{301}"), ("push it", "Push  it!")].enumerated() {
            let path = directory.file("spelt-\(index).hdf5")
            Recordings.write(path) { writer in
                writer.replaceState(of: "demo_1", Recordings.eef(of: 0).map { $0 == 0 ? -0.0 : $0 })
                writer.attribute("other", of: "/data/demo_0", one)
                writer.attribute("other", of: "/data/demo_1", other)
            }
            var policy = Recordings.arm()
            policy.contract.instruction = "other"
            expect(Recordings.problem(path, policy), says: "demo_1: it is the same demonstration as demo_0")
        }
        let heldOut = directory.file("held-out.hdf5")
        Recordings.write(heldOut) { $0.replaceState(of: "demo_2", Recordings.eef(of: 1)) }
        expect(Recordings.problem(heldOut), says: "demo_2: it is held out, but demo_1 is the same demonstration")
    }

    /// One error names everything that does not fit, and the summary is returned as well.
    @Test func allDemonstrationsThatDoNotFitAreNamed() throws {
        Recordings.write(path) { writer in
            var values = Recordings.eef()
            values[0] = .nan
            for name in ["demo_0", "demo_1"] { writer.replaceState(of: name, values) }
            writer.names("/mask/other", ["demo_0"])
        }
        expect(Recordings.problem(path), says: "demo_0: ", "demo_1: ")
        let far = directory.file("far.hdf5")
        Recordings.write(far) { $0.replaceActions(of: "demo_1", Recordings.actions().map { 100 * $0 }) }
        let summary = try DemonstrationFiles.inspect(far, split: .train, for: Recordings.arm()).summary
        #expect(summary.problem != nil && summary.actions.map(\.largest).max() ?? 0 > 20 && summary.demonstrations == 2)
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

extension Split {
    static let allOfThem: [Split] = [.train, .valid]
}
