import Glibc

/// Opens regular files only. A FIFO would block its reader for ever, and a device may never end.
public enum RegularFile {
    /// Opens a file for reading. The caller must close the descriptor.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - name: The name of the file in errors; by default its path.
    ///   - followsLinks: Whether the last component of the path may be a symbolic link.
    /// - Returns: The file descriptor.
    /// - Throws: `InputFileError` if it is missing, cannot be opened or is not a regular file.
    public static func open(_ path: String, called name: String? = nil, followsLinks: Bool = true) throws -> Int32 {
        let name = name ?? path
        // Without O_NONBLOCK, opening a FIFO blocks until it has a writer.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW))
        guard descriptor >= 0 else {
            let errno = errno, reason = String(cString: strerror(errno))
            if let kind = kind(of: path, followsLinks: followsLinks), kind != .file {
                throw InputFileError.wrongKind(name, kind)
            }
            throw InputFileError(
                "cannot open \(name): \(reason)",
                hint: "is the path right, and may you read it?",
                isAbsent: errno == ENOENT
            )
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw InputFileError.wrongKind(name, Kind(mode: status.st_mode))
        }
        return descriptor
    }

    /// Reads a whole file of at most `limit` bytes.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - name: The name of the file in errors; by default its path.
    ///   - limit: The largest size to accept, in bytes.
    ///   - followsLinks: Whether the last component of the path may be a symbolic link.
    /// - Returns: The file's bytes.
    /// - Throws: `InputFileError` if it is missing, cannot be read, is not a regular file or is larger.
    public static func read(_ path: String, called name: String? = nil, atMost limit: Int, followsLinks: Bool = true)
        throws -> [UInt8]
    {
        let name = name ?? path
        let descriptor = try open(path, called: name, followsLinks: followsLinks)
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        guard status.st_size <= limit else {
            throw InputFileError("\(name) has \(status.st_size) bytes; expected at most \(limit)")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = try bytes.withUnsafeMutableBytes { try fill($0, from: descriptor, at: 0, called: name) }
        guard count == bytes.count else {
            throw InputFileError("\(name) became shorter while it was read", hint: "try again when nothing writes it")
        }
        return bytes
    }

    /// Reads all bytes of a file, block by block, and calls `body` with each block.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - name: The name of the file in errors; by default its path.
    ///   - followsLinks: Whether the last component of the path may be a symbolic link.
    ///   - body: Receives a block of at most 1 MiB, which is valid only during the call.
    /// - Throws: `InputFileError` if it cannot be read, or what `body` throws.
    public static func forEachBlock(
        of path: String,
        called name: String? = nil,
        followsLinks: Bool = true,
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let name = name ?? path
        let descriptor = try open(path, called: name, followsLinks: followsLinks)
        defer { close(descriptor) }
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: SafetensorsFile.blockBytes, alignment: 16)
        defer { block.deallocate() }
        var offset = 0
        while true {
            let count = try fill(block, from: descriptor, at: offset, called: name)
            if count == 0 { return }
            try body(UnsafeRawBufferPointer(rebasing: block[..<count]))
            offset += count
        }
    }

    /// Reads from `offset` until the buffer is full or the file ends; returns the number of bytes read.
    static func fill(
        _ buffer: UnsafeMutableRawBufferPointer,
        from descriptor: Int32,
        at offset: Int,
        called name: String
    ) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw InputFileError("cannot read \(name): \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// The kind of file at a path.
    public enum Kind: String, Sendable {
        case file = "a file"
        case directory = "a directory"
        case link = "a symbolic link"
        case fifo = "a FIFO"
        case socket = "a socket"
        case device = "a device"

        init(mode: mode_t) {
            switch mode & S_IFMT {
            case S_IFREG: self = .file
            case S_IFDIR: self = .directory
            case S_IFLNK: self = .link
            case S_IFIFO: self = .fifo
            case S_IFSOCK: self = .socket
            default: self = .device
            }
        }
    }

    /// Returns the kind of the file at `path`; `nil` if there is none.
    ///
    /// - Parameters:
    ///   - path: The path.
    ///   - followsLinks: Whether to return the kind of what a symbolic link points to, and not ``Kind/link``.
    public static func kind(of path: String, followsLinks: Bool = true) -> Kind? {
        var status = stat()
        guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        return Kind(mode: status.st_mode)
    }
}

/// A file that cannot be used as input.
public struct InputFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    /// Whether the file does not exist.
    public let isAbsent: Bool
    /// Creates an error.
    ///
    /// - Parameters:
    ///   - message: What is wrong, as a sentence for the user.
    ///   - hint: What the user can do; empty if there is no advice.
    ///   - isAbsent: Whether the file does not exist.
    public init(_ message: String, hint: String = "", isAbsent: Bool = false) {
        self.message = message
        self.hint = hint
        self.isAbsent = isAbsent
    }
    public var description: String { message }

    static func wrongKind(_ name: String, _ kind: RegularFile.Kind) -> InputFileError {
        InputFileError(
            "\(name) is \(kind.rawValue); expected a regular file",
            hint: "give the path of a file on a disk"
        )
    }
}
