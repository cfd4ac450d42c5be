import Foundation

/// Runs real programs: openssl, python3, kumiai.
public enum Shell {
    public struct Outcome: Sendable {
        public let status: Int32
        public let output: String
        public let error: String

        public init(status: Int32, output: String, error: String) {
            self.status = status
            self.output = output
            self.error = error
        }
    }

    /// Runs a program to its end. Output and errors go through files, so that no pipe can fill up.
    @discardableResult
    public static func run(
        _ arguments: [String],
        environment: [String: String] = [:],
        input: String? = nil,
        directory: String? = nil
    ) throws -> Outcome {
        let scratch = try TemporaryDirectory()
        let process = try start(
            arguments,
            environment: environment,
            input: input,
            directory: directory,
            output: scratch.file("out"),
            error: scratch.file("err")
        )
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus,
            output: String(decoding: try scratch.read("out"), as: UTF8.self),
            error: String(decoding: try scratch.read("err"), as: UTF8.self)
        )
    }

    public static func start(
        _ arguments: [String],
        environment: [String: String] = [:],
        input: String? = nil,
        directory: String? = nil,
        output: String,
        error: String
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        // A device is opened directly: `createFile` would replace it with a file.
        for path in [output, error] where !path.hasPrefix("/dev/") {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: error)
        if let input {
            let pipe = Pipe()
            process.standardInput = pipe
            try process.run()
            pipe.fileHandleForWriting.write(Data(input.utf8))
            try pipe.fileHandleForWriting.close()
        } else {
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }
        return process
    }

    /// The `kumiai` program that was built with the tests.
    public static var kumiai: String {
        let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let candidates = [folder, Repository.path(".build/release"), Repository.path(".build/debug")].map {
            $0 + "/kumiai"
        }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? candidates[0]
    }

    /// The Python with PyTorch and PEFT that `make setup-test` makes.
    public static var python: String { Repository.path(".build/python/bin/python") }

    /// Memory in MiB and open descriptors of a process; zeros if it has ended.
    public static func usage(of process: Int32) -> (resident: Int, descriptors: Int) {
        let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        let kilobytes = line.split(separator: " ").compactMap { Int($0) }.first ?? 0
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd"))?.count ?? 0
        return (kilobytes / 1024, descriptors)
    }

    /// Raises the limit of open files as far as the system allows, but at most to `count`.
    public static func raiseDescriptorLimit(atMost count: UInt = .max) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, count)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Opens a TCP connection to 127.0.0.1 on which nothing is sent; returns its descriptor, or -1.
    public static func connect(to port: Int) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        return connect(descriptor, to: port) ? descriptor : -1
    }

    /// Connects an existing socket.
    public static func connect(_ descriptor: Int32, to port: Int) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = UInt16(port).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// A port of 127.0.0.1 that is free now.
    public static func freePort() -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
