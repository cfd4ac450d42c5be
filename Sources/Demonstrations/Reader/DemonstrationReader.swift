import Contracts
import Federation
import Foundation

/// Reads a site's HDF5 files in a separate process.
///
/// A malicious file can make libhdf5 crash or use all memory. In that case only the reader process ends, and the worker
/// reports it.
package struct DemonstrationReader: Sendable {
    /// The reader program with its first arguments; by default this program.
    package var program: [String]
    /// The largest amount of memory that the reader may use, in bytes.
    package var memoryBytes: Int
    /// The time limit of the reader.
    package var seconds: Int

    /// The hidden verb that starts the reader.
    package static let verb = "read-demonstrations"

    package init(program: [String] = ["/proc/self/exe", verb], memoryBytes: Int = 24 << 30, seconds: Int = 1800) {
        self.program = program
        self.memoryBytes = memoryBytes
        self.seconds = seconds
    }

    /// Opens the file or the directory, and reads nothing.
    ///
    /// - Throws: `ContractError` if there is neither, or it cannot be opened.
    package static func requireReadable(_ path: String) throws {
        let isDirectory = try DemonstrationPath(path) == .directory
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (isDirectory ? O_DIRECTORY : 0))
        guard descriptor >= 0 else {
            throw ContractError("\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        close(descriptor)
    }

    /// Reads the demonstrations of a split, and checks them against the policy's contract.
    ///
    /// - Parameters:
    ///   - path: The path of the file or directory.
    ///   - split: The demonstrations to read.
    ///   - configuration: The configuration of the policy.
    ///   - declared: Facts about the data that the site's engineer declares.
    ///   - scratch: A directory with enough free space for the demonstrations. The files there have no names, so
    ///     nothing remains, even if a process is killed.
    ///   - check: Called regularly. If it throws, the reader is stopped.
    /// - Returns: The demonstrations.
    /// - Throws: `ContractError`, which describes what does not fit or cannot be read; the error of `check`.
    package func read(
        _ path: String,
        split: Split,
        for configuration: PolicyConfiguration,
        declared: DemonstrationFiles.Declaration = .init(),
        scratch: String,
        check: () throws -> Void = {}
    ) throws -> DemonstrationSet {
        let set = try inspect(
            path,
            split: split,
            for: configuration,
            declared: declared,
            scratch: scratch,
            check: check
        )
        if let problem = set.summary.problem { throw problem }
        return set
    }

    /// Like ``read(_:split:for:declared:scratch:check:)``, but if something does not fit, returns a set without samples
    /// whose summary describes the problem.
    ///
    /// - Throws: `ContractError` if the files cannot be read at all; the error of `check`.
    package func inspect(
        _ path: String,
        split: Split,
        for configuration: PolicyConfiguration,
        declared: DemonstrationFiles.Declaration = .init(),
        scratch: String,
        check: () throws -> Void = {}
    ) throws -> DemonstrationSet {
        let arguments = try Arguments(
            path: path,
            split: split,
            memoryBytes: memoryBytes,
            parent: getpid(),
            declared: declared
        )
        let wanted = try NamelessFile(in: scratch), output = try NamelessFile(in: scratch),
            errors = try NamelessFile(in: scratch)
        try wanted.handle.write(contentsOf: Data(configuration.json.utf8))
        try wanted.handle.seek(toOffset: 0)
        let process = process(arguments.words)
        (process.standardInput, process.standardOutput, process.standardError) = (
            wanted.handle, output.handle, errors.handle
        )
        let isOverdue = try run(process, check)
        if let problem = try problem(path, process, isOverdue, errors) { throw problem }
        return try DemonstrationSet(reading: output.path, for: configuration)
    }

    private func process(_ arguments: [String]) -> Process {
        let process = Process()
        // Resolved here, because in the new process `/proc/self/exe` would be another program.
        process.executableURL = URL(fileURLWithPath: program[0]).resolvingSymlinksInPath()
        process.arguments = program.dropFirst() + arguments
        // A crash is an expected result, and a backtrace would take seconds.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        return process
    }

    /// Runs the reader; returns whether it exceeded the time limit and was killed.
    private func run(_ process: Process, _ check: () throws -> Void) throws -> Bool {
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        func end() {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
        }
        let deadline = DispatchTime.now() + .seconds(seconds)
        while ended.wait(timeout: .now() + .milliseconds(Self.checkMilliseconds)) == .timedOut {
            do { try check() } catch {
                end()
                throw error
            }
            guard DispatchTime.now() > deadline else { continue }
            end()
            return true
        }
        return false
    }

    private static let checkMilliseconds = 200
    private static let maximumErrorBytes = 64 * 1024

    /// The reason why the reader failed; `nil` if it succeeded.
    private func problem(_ path: String, _ process: Process, _ isOverdue: Bool, _ errors: NamelessFile) throws
        -> ContractError?
    {
        if isOverdue {
            return ContractError(
                "\(path) could not be read within \(seconds) s",
                hint: "check whether the disk or the network file system is slow"
            )
        }
        if process.terminationReason == .uncaughtSignal, process.terminationStatus == SIGKILL {
            return ContractError(
                "the process that read \(path) was killed",
                hint: "the machine may have run out of memory: free memory, or use fewer demonstrations"
            )
        }
        guard process.terminationReason == .exit else {
            return ContractError(
                "\(path) crashed the HDF5 library that read it (signal \(process.terminationStatus))",
                hint: "the file is damaged or malicious: write the file again, and find out who wrote this one"
            )
        }
        guard process.terminationStatus != 0 else { return nil }
        try errors.handle.seek(toOffset: 0)
        let text = String(decoding: try errors.handle.read(upToCount: Self.maximumErrorBytes) ?? Data(), as: UTF8.self)
        // Only the first two lines are the error and its hint; libhdf5 may print more while it is closed.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false).map {
            String(Substring($0))
        }
        return ContractError(text.isEmpty ? "\(path) cannot be read" : lines[0], hint: lines.count > 1 ? lines[1] : "")
    }

    /// Runs in the reader process: reads the policy's configuration from standard input, and writes the demonstrations
    /// to standard output.
    ///
    /// - Parameter words: The arguments after the verb.
    /// - Returns: The exit code.
    package static func serve(_ words: [String]) -> Int32 {
        guard let arguments = Arguments(words), ReaderProcess.endWithParent(arguments.parent) else {
            FileHandle.standardError.write(
                Data("the reader of demonstrations must be started by kumiai itself\n".utf8)
            )
            return 64
        }
        var limit = rlimit(rlim_cur: rlim_t(arguments.memoryBytes), rlim_max: rlim_t(arguments.memoryBytes))
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        var noCore = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &noCore)
        do {
            let wanted = try PolicyConfiguration(
                json: String(decoding: FileHandle.standardInput.readToEnd() ?? Data(), as: UTF8.self)
            )
            try DemonstrationFiles.inspect(
                arguments.path,
                split: arguments.split,
                for: wanted,
                declared: arguments.declared
            )
            .write(to: NamelessFile.standardOutput)
            return 0
        } catch {
            let hint = (error as? ContractError)?.hint ?? ""
            // Escaped, so that a name from the file cannot add lines to these two.
            let text = "\(DisplayText.escaped("\(error)"))\n\(DisplayText.escaped(hint))\n"
            try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
            return 1
        }
    }
}
