import Contracts
import Demonstrations
import Policies
import Foundation
import TestKit
import Tensors
import Testing
import Worker

/// A separate process reads demonstrations; it may crash, be stopped or take too long, and must leave nothing behind.
@Suite struct DemonstrationReaderTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func read(_ reader: DemonstrationReader, check: () throws -> Void = {}) throws -> DemonstrationSet {
        try reader.read(
            Repository.example("sites/window-open.hdf5"),
            split: .train,
            for: Policy(SafetensorsFile(path: Repository.example("base/state.safetensors"))).configuration,
            scratch: directory.path,
            check: check
        )
    }

    private func leftovers() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory.path) }

    /// A reader that waits for ever.
    private func stuck(seconds: Int = 600) -> DemonstrationReader {
        DemonstrationReader(program: ["/bin/sh", "-c", "exec sleep 600"], seconds: seconds)
    }

    @Test func whatItReadsHasNoNameOnTheDisk() throws {
        var listings: [[String]] = []
        let set = try read(DemonstrationReader(program: [Shell.kumiai, DemonstrationReader.verb])) {
            listings.append(try leftovers())
        }
        #expect(set.count > 100 && listings.allSatisfy(\.isEmpty))
        #expect(try leftovers().isEmpty)
    }

    @Test func stoppingTheWorkStopsTheReader() throws {
        let began = Date()
        #expect(throws: CancellationError.self) { try read(stuck()) { throw CancellationError() } }
        #expect(Date().timeIntervalSince(began) < 60)
        #expect(try leftovers().isEmpty)
    }

    @Test func aReaderThatIsSlowIsNotCalledAnAttack() throws {
        #expect { try read(stuck(seconds: 1)) } throws: { "\($0)".contains("could not be read within 1 s") }
        let killed = DemonstrationReader(program: ["/bin/sh", "-c", "kill -9 $$"])
        #expect { try read(killed) } throws: {
            "\($0)".contains("was killed") && ($0 as? ContractError)?.hint.contains("memory") == true
        }
        let broken = DemonstrationReader(program: ["/bin/sh", "-c", "kill -SEGV $$"])
        #expect { try read(broken) } throws: { "\($0)".contains("crashed the HDF5 library that read it (signal 11)") }
        #expect(try leftovers().isEmpty)
    }

    // MARK: What it is told

    private func readWithTheProgram(
        _ path: String = Repository.example("sites/window-open.hdf5"),
        declared: DemonstrationFiles.Declaration = .init()
    ) throws -> DemonstrationSet {
        try DemonstrationReader(program: [Shell.kumiai, DemonstrationReader.verb], seconds: 30).read(
            path,
            split: .train,
            for: Policy(SafetensorsFile(path: Repository.example("base/state.safetensors"))).configuration,
            declared: declared,
            scratch: directory.path
        )
    }

    @Test func noTextIsTakenForAnOptionOrCutShort() throws {
        #expect(try readWithTheProgram(declared: .init(instruction: "--help")).count > 100)
        for declared in [DemonstrationFiles.Declaration(instruction: "open\0close"), .init(embodiment: "saw\0yer")] {
            #expect { try readWithTheProgram(declared: declared) } throws: { "\($0)".contains("NUL character") }
        }
    }

    @Test func whatItFoundArrives() throws {
        let found = try readWithTheProgram().summary
        #expect(found.heldOut == 2 && found.instructions.map(\.text) == ["Push and open a window"])
        #expect(found.instructions.map(\.demonstrations) == [18])
        #expect(found.actions.map(\.name) == ["x", "y", "z", "gripper"])
    }

    @Test func aFIFOIsRefusedAtOnce() throws {
        let pipe = directory.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        #expect { try readWithTheProgram(pipe) } throws: { "\($0)".contains("\(pipe) is a FIFO, not a file") }
    }

    // MARK: Its end

    /// Starts a shell that starts the reader as its child; the reader waits for a configuration that never comes.
    private func startReader(parent: String, inBackground: Bool) throws -> Process {
        let pipe = directory.file("silent")
        try #require(mkfifo(pipe, 0o600) == 0)
        let words = [
            "path=/nowhere", "split=train", "memory=\(24 << 30)", "parent=\(parent)", "embodiment=", "instruction=",
            "control_hz=0.0",
        ]
        let reader = "'\(Shell.kumiai)' \(DemonstrationReader.verb) \(words.joined(separator: " ")) <>'\(pipe)'"
        let script = inBackground ? "\(reader) & echo $! >'\(directory.file("pid"))'; wait" : "exec \(reader)"
        return try Shell.start(["/bin/sh", "-c", script], output: directory.file("out"), error: directory.file("err"))
    }

    /// A process that has ended and that its parent has not waited for is in state Z.
    private func isAlive(_ process: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
        return !["Z", "X"].contains(status.split(separator: ")").last?.split(separator: " ").first ?? "X")
    }

    private func wait(seconds: Double = 20, until condition: () -> Bool) -> Bool {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if condition() { return true }
            Thread.sleep(forTimeInterval: 0.05)
        }
        return condition()
    }

    @Test func itEndsWithItsParent() throws {
        let shell = try startReader(parent: "$$", inBackground: true)
        defer { shell.terminate() }
        var reader: Int32 = 0
        #expect(
            wait {
                let text = String(decoding: (try? directory.read("pid")) ?? [], as: UTF8.self)
                reader = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
                return reader > 0
            }
        )
        try #require(reader > 0)
        // It runs until then.
        Thread.sleep(forTimeInterval: 2)
        #expect(isAlive(reader))
        kill(shell.processIdentifier, SIGKILL)
        #expect(wait { !isAlive(reader) })
        if isAlive(reader) { kill(reader, SIGKILL) }
    }

    @Test func itEndsAtOnceWhereItsParentIsGoneAlready() throws {
        let reader = try startReader(parent: "\(Int32.max)", inBackground: false)
        #expect(wait { !reader.isRunning })
        if reader.isRunning { kill(reader.processIdentifier, SIGKILL) }
    }
}
