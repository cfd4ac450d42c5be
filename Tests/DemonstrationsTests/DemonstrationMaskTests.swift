import DemonstrationFixtures
@testable import Contracts
@testable import Demonstrations
import TestKit
import Testing

@Suite("A demonstration counts once, either for training or as held out")
struct DemonstrationMaskTests: RecordingFixture {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

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
}

extension Split {
    static let allOfThem: [Split] = [.train, .valid]
}
