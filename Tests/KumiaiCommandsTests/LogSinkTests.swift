import Foundation
import TestKit
import Testing

@testable import KumiaiCommands

/// A log that cannot be written at times.
@Suite struct LogSinkTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func lines(_ name: String) throws -> [String] {
        String(decoding: try directory.read(name), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func notice(_ lost: LogSink.Lost) -> String { "lost \(lost.count): \(lost.reason)" }

    @Test func lostLinesAreCountedAndSaidWhenALineCanBeWrittenAgain() throws {
        let descriptor = open("/dev/full", O_WRONLY)
        defer { close(descriptor) }
        let sink = LogSink(descriptor: descriptor)
        for line in ["one", "two", "three"] { sink.write(line, notice: notice) }
        let file = open(directory.file("log"), O_WRONLY | O_CREAT, 0o600)
        dup2(file, descriptor)
        close(file)
        for line in ["four", "five"] { sink.write(line, notice: notice) }
        #expect(try lines("log") == ["lost 3: no space left on device", "four", "five"])
    }

    @Test func aLineAfterATornOneBeginsOnItsOwnLine() throws {
        // A limit on the file's size cuts a line in the middle. The limit applies to a process, so a separate one is used.
        let log = directory.file("log")
        let script = """
            ulimit -f 1
            exec \(Shell.kumiai) coordinator run --config \(directory.file("missing.toml")) --log-file \(log)
            """
        // 1,024 bytes are allowed: 7 are left.
        try directory.write("log", [UInt8](repeating: UInt8(ascii: "x"), count: 1016) + [UInt8(ascii: "\n")])
        let outcome = try Shell.run(["bash", "-c", script])
        #expect(outcome.status == 6 && outcome.error.contains("missing.toml"), "\(outcome.status) \(outcome.error)")
        #expect(try directory.read("log").count == 1024)
        // The next process begins its log after the cut line.
        let sink = try LogSink(path: log)
        sink.write("whole", notice: notice)
        #expect(try lines("log").last == "whole")
    }

    /// A pager that was stopped, or a collector that hangs.
    @Test(.timeLimit(.minutes(1))) func aPipeThatNobodyReadsHoldsNobodyUp() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let sink = LogSink(descriptor: ends[1]), line = String(repeating: "x", count: 1000)
        for _ in 0..<200 { sink.write(line, notice: notice) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let before = read(ends[0], &buffer, buffer.count)
        #expect((30_000..<200_000).contains(before))
        sink.write("whole", notice: notice)
        let count = read(ends[0], &buffer, buffer.count)
        let text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        #expect(text.contains("its reader does not read") && text.hasSuffix("whole\n"), "\(text)")
    }

    @Test func aFloodOfLinesIsCutAndCounted() throws {
        let sink = try LogSink(path: directory.file("log"))
        for number in 0..<8000 { sink.write("\(number)", notice: notice) }
        #expect((5000..<7000).contains(try lines("log").count))
        usleep(100_000)
        sink.write("after", notice: notice)
        let last = try lines("log").suffix(2)
        #expect(last.last == "after" && last.first?.contains("too many in a short time") == true, "\(last)")
    }

    @Test func aRotatedFileIsLeftAndANewOneIsOpened() throws {
        let sink = try LogSink(path: directory.file("log"))
        sink.write("before", notice: notice)
        try FileManager.default.moveItem(atPath: directory.file("log"), toPath: directory.file("log.1"))
        sink.write("moved", notice: notice)
        try sink.reopen()
        sink.write("after", notice: notice)
        #expect(try lines("log.1") == ["before", "moved"])
        #expect(try lines("log") == ["after"])
        let mode = try FileManager.default.attributesOfItem(atPath: directory.file("log"))[.posixPermissions] as? Int
        #expect(try #require(mode) & 0o137 == 0)
    }

    @Test func whatIsNoFileIsNoLogFile() throws {
        let pipe = directory.file("pipe")
        mkfifo(pipe, 0o600)
        for path in [pipe, "/dev/full", directory.path, directory.file("missing/log")] {
            #expect { _ = try LogSink(path: path) } throws: { ($0 as? UsageError)?.message.contains(path) == true }
        }
    }

    @Test func aSinkThatCannotBeOpenedAgainKeepsItsFile() throws {
        let folder = directory.file("folder")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let sink = try LogSink(path: folder + "/log")
        try FileManager.default.moveItem(atPath: folder, toPath: directory.file("moved"))
        #expect(throws: UsageError.self) { try sink.reopen() }
        sink.write("still here", notice: notice)
        #expect(try lines("moved/log") == ["still here"])
    }
}
