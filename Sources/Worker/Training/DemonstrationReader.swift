import Foundation
import Learning

/// Reads a site's HDF5 file in a process of its own.
///
/// libhdf5 can be made to crash, or to ask for all memory, by a file that somebody made for it; what dies then is the reader,
/// and the worker says so.
public struct DemonstrationReader: Sendable {
    /// The program that reads, with the words before the file's name: this one, where nothing else is said.
    public var program: [String]
    /// Memory that the reader may take, in bytes.
    public var memoryBytes: Int
    /// How long it may take.
    public var seconds: Int

    /// The hidden verb of the program.
    public static let verb = "read-demonstrations"

    public init(program: [String] = ["/proc/self/exe", verb], memoryBytes: Int = 24 << 30, seconds: Int = 1800) {
        self.program = program
        self.memoryBytes = memoryBytes
        self.seconds = seconds
    }

    /// Reads the demonstrations of a split, checked against what the policy wants. `scratch`: a directory with room for them.
    public func read(
        _ path: String, split: Split, for configuration: PolicyConfiguration, declared: DemonstrationFiles.Declaration = .init(), scratch: String
    ) throws -> DemonstrationSet {
        let output = "\(scratch)/demonstrations-\(UUID().uuidString.lowercased())"
        defer { unlink(output) }
        let shape = "\(output).config"
        defer { unlink(shape) }
        try configuration.json.write(toFile: shape, atomically: false, encoding: .utf8)
        let problem = try run([path, split.rawValue, shape, output, "\(memoryBytes)", declared.embodiment, declared.instruction])
        if let problem { throw problem }
        return try DemonstrationSet(reading: output, for: configuration)
    }

    /// `nil` where the reader did its work.
    private func run(_ arguments: [String]) throws -> LearningError? {
        let process = Process()
        // The link names the program that asks, and not the one that `Process` starts.
        process.executableURL = URL(fileURLWithPath: program[0]).resolvingSymlinksInPath()
        process.arguments = program.dropFirst() + arguments
        let errors = "\(arguments[3]).errors"
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        defer { unlink(errors) }
        process.standardError = FileHandle(forWritingAtPath: errors)
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        // A crash is expected here: no backtrace, which takes seconds.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        try process.run()
        let deadline = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds), execute: deadline)
        process.waitUntilExit()
        deadline.cancel()
        let said = (FileManager.default.contents(atPath: errors) ?? Data()).prefix(4096)
        guard process.terminationReason == .exit else {
            return LearningError(
                "\(arguments[0]) broke the HDF5 library that read it (signal \(process.terminationStatus))",
                hint: "the file is damaged, or made to do harm: write it anew, and find out who wrote this one")
        }
        guard process.terminationStatus != 0 else { return nil }
        let lines = String(decoding: said, as: UTF8.self).split(separator: "\n", maxSplits: 1).map(String.init)
        return LearningError(lines.first ?? "\(arguments[0]) cannot be read", hint: lines.count > 1 ? lines[1].trimmingCharacters(in: .newlines) : "")
    }

    /// The other side: reads and writes, in the process that may die. `arguments` are those after the verb.
    public static func serve(_ arguments: [String]) -> Int32 {
        guard arguments.count == 7, let split = Split(rawValue: arguments[1]), let memory = rlim_t(arguments[4]) else { return 64 }
        var limit = rlimit(rlim_cur: memory, rlim_max: memory)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        var noCore = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &noCore)
        do {
            let declared = DemonstrationFiles.Declaration(embodiment: arguments[5], instruction: arguments[6])
            try DemonstrationFiles.read(
                arguments[0], split: split, for: PolicyConfiguration(json: String(contentsOfFile: arguments[2], encoding: .utf8)), declared: declared
            ).write(to: arguments[3])
            return 0
        } catch {
            let hint = (error as? LearningError)?.hint ?? ""
            FileHandle.standardError.write(Data("\(error)\n\(hint)\n".utf8))
            return 1
        }
    }
}
