import Glibc

/// Files that are there to be read. A FIFO would keep its reader waiting for ever, and a device may never end.
public enum RegularFile {
    /// Opens a file to read it. The caller closes the descriptor.
    ///
    /// - Parameters:
    ///   - name: what errors call the file; its path where there is none.
    ///   - followsLinks: whether the last part of the path may be a symbolic link.
    public static func open(_ path: String, called name: String? = nil, followsLinks: Bool = true) throws -> Int32 {
        let name = name ?? path
        // Without O_NONBLOCK, opening a FIFO waits for a writer.
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

    /// Reads a file of at most `limit` bytes as a whole.
    public static func read(_ path: String, called name: String? = nil, atMost limit: Int, followsLinks: Bool = true)
        throws -> [UInt8]
    {
        let name = name ?? path
        let descriptor = try open(path, called: name, followsLinks: followsLinks)
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        guard status.st_size <= limit else {
            throw InputFileError("\(name) has \(status.st_size) bytes; at most \(limit) are read")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = try bytes.withUnsafeMutableBytes { try fill($0, from: descriptor, at: 0, called: name) }
        guard count == bytes.count else {
            throw InputFileError("\(name) became shorter while it was read", hint: "try again when nothing writes it")
        }
        return bytes
    }

    /// Calls `body` with all bytes of a file, block after block.
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

    /// Reads from `offset` on until the buffer is full or the file ends; returns how many bytes were read.
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

    /// What a path leads to.
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

    /// `nil` where nothing is there.
    public static func kind(of path: String, followsLinks: Bool = true) -> Kind? {
        var status = stat()
        guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        return Kind(mode: status.st_mode)
    }
}

/// A file that cannot be read as what it is needed for.
public struct InputFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    /// There is no such file: the path is wrong.
    public let isAbsent: Bool
    public init(_ message: String, hint: String = "", isAbsent: Bool = false) {
        self.message = message
        self.hint = hint
        self.isAbsent = isAbsent
    }
    public var description: String { message }

    static func wrongKind(_ name: String, _ kind: RegularFile.Kind) -> InputFileError {
        InputFileError(
            "\(name) is \(kind.rawValue); expected a regular file",
            hint: "name a file that is stored on a disk"
        )
    }
}
