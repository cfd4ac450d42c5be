import Contracts
import Federation
import Foundation

/// Reads a site's HDF5 file in a process of its own.
///
/// libhdf5 can be made to crash, or to ask for all memory, by a file that somebody made for it; what dies then is the
/// reader, and the worker says so.
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

    /// Reads the demonstrations of a split, checked against what the policy expects.
    ///
    /// - Parameters:
    ///   - scratch: a directory with room for them. What is written there has no name: nothing of it stays, however the
    ///     processes end.
    ///   - check: called now and then; it stops the reading by throwing.
    public func read(
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

    /// The same; what does not fit is in the summary of a set without samples.
    public func inspect(
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
        // The link names the program that asks, and not the one that `Process` starts.
        process.executableURL = URL(fileURLWithPath: program[0]).resolvingSymlinksInPath()
        process.arguments = program.dropFirst() + arguments
        // A crash is expected here: no backtrace, which takes seconds.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        return process
    }

    /// Whether the reader took too long, and was ended for it.
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

    /// `nil` where the reader did its work.
    private func problem(_ path: String, _ process: Process, _ isOverdue: Bool, _ errors: NamelessFile) throws
        -> ContractError?
    {
        if isOverdue {
            return ContractError(
                "\(path) could not be read within \(seconds) s",
                hint: "is the disk or the network that holds it slow?"
            )
        }
        if process.terminationReason == .uncaughtSignal, process.terminationStatus == SIGKILL {
            return ContractError(
                "the process that read \(path) was killed",
                hint: "the machine may have run out of memory: make room, or give fewer demonstrations"
            )
        }
        guard process.terminationReason == .exit else {
            return ContractError(
                "\(path) broke the HDF5 library that read it (signal \(process.terminationStatus))",
                hint: "the file is damaged, or made to do harm: write it anew, and find out who wrote this one"
            )
        }
        guard process.terminationStatus != 0 else { return nil }
        try errors.handle.seek(toOffset: 0)
        let text = String(decoding: try errors.handle.read(upToCount: Self.maximumErrorBytes) ?? Data(), as: UTF8.self)
        // What libhdf5 says while it is closed comes after these two.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false).map {
            String(Substring($0))
        }
        return ContractError(text.isEmpty ? "\(path) cannot be read" : lines[0], hint: lines.count > 1 ? lines[1] : "")
    }

    /// The other side: reads and writes, in the process that may die. The policy's configuration comes by standard
    /// input, the demonstrations go to standard output. `words` are those after the verb.
    public static func serve(_ words: [String]) -> Int32 {
        guard let arguments = Arguments(words), ReaderProcess.endWithParent(arguments.parent) else {
            FileHandle.standardError.write(
                Data("the reader of demonstrations was not started by the process that it reads for\n".utf8)
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
            // A name from the file must not add lines to these two.
            let text = "\(DisplayText.escaped("\(error)"))\n\(DisplayText.escaped(hint))\n"
            try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
            return 1
        }
    }
}
