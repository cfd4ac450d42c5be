import Foundation
import Learning
import TestKit
import Tensors
import Testing
import Worker

/// Demonstrations are read by a process that may break, be stopped or take too long; nothing of them stays behind.
@Suite struct DemonstrationReaderTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func read(_ reader: DemonstrationReader, check: () throws -> Void = {}) throws -> DemonstrationSet {
        try reader.read(
            Repository.example("sites/window-open.hdf5"), split: .train,
            for: Policy(SafetensorsFile(path: Repository.example("base/state.safetensors"))).configuration, scratch: directory.path, check: check)
    }

    private func leftovers() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory.path) }

    /// Waits for ever, whatever it is asked.
    private func stuck(seconds: Int = 600) -> DemonstrationReader { DemonstrationReader(program: ["/bin/sh", "-c", "exec sleep 600"], seconds: seconds) }

    @Test func whatItReadsHasNoNameOnTheDisk() throws {
        var looks: [[String]] = []
        let set = try read(DemonstrationReader(program: [Shell.kumiai, DemonstrationReader.verb])) { looks.append(try leftovers()) }
        #expect(set.count > 100 && looks.allSatisfy(\.isEmpty))
        #expect(try leftovers().isEmpty)
    }

    @Test func whoeverStopsTheWorkStopsTheReader() throws {
        let began = Date()
        #expect(throws: CancellationError.self) { try read(stuck()) { throw CancellationError() } }
        #expect(Date().timeIntervalSince(began) < 60)
        #expect(try leftovers().isEmpty)
    }

    @Test func aReaderThatIsSlowIsNotCalledAnAttack() throws {
        #expect { try read(stuck(seconds: 1)) } throws: { "\($0)".contains("could not be read within 1 s") }
        let killed = DemonstrationReader(program: ["/bin/sh", "-c", "kill -9 $$"])
        #expect { try read(killed) } throws: { "\($0)".contains("was killed") && ($0 as? LearningError)?.hint.contains("memory") == true }
        let broken = DemonstrationReader(program: ["/bin/sh", "-c", "kill -SEGV $$"])
        #expect { try read(broken) } throws: { "\($0)".contains("broke the HDF5 library that read it (signal 11)") }
        #expect(try leftovers().isEmpty)
    }
}
