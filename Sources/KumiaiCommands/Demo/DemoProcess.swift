import Foundation

/// A `kumiai` process of the demo; its log goes to a file.
final class DemoProcess {
    let name: String
    let log: String
    private let process = Process()

    init(_ name: String, _ arguments: [String], log: String) throws {
        self.name = name
        self.log = log
        guard FileManager.default.createFile(atPath: log, contents: nil) else {
            throw UsageError("cannot write \(log)")
        }
        process.executableURL = URL(
            fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        )
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = process.standardOutput
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// Throws if the process has failed.
    func checkAlive() throws {
        guard !process.isRunning, process.terminationStatus != 0 else { return }
        let last =
            ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").last
            ?? "nothing in its log"
        throw UsageError("\(name) ended with \(process.terminationStatus): \(last)", hint: "see its log: \(log)")
    }

    /// Asks it to stop, and waits until it has stopped.
    func stop() {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }

    func wait() { process.waitUntilExit() }
}
