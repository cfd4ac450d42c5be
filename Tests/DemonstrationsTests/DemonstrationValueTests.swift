import DemonstrationFixtures
@testable import Contracts
@testable import Demonstrations
import TestKit
import Testing

@Suite("The values of demonstrations have the types, shapes and ranges that the contract says")
struct DemonstrationValueTests: RecordingFixture {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

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
}
