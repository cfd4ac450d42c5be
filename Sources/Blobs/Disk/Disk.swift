/// Where files lie: the machine's file system, or a simulated one that forgets what was not synchronised.
public protocol Disk: Sendable {
    func makeDirectory(_ path: String) throws
    func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile
    /// `nil` where nothing is at `path`.
    func byteCount(_ path: String) -> UInt64?
    func rename(_ path: String, to target: String) throws
    /// Gives a file another name in the same file system; nothing may be at `target`.
    func link(_ path: String, to target: String) throws
    func remove(_ path: String)
    /// The names in a directory; none where it is missing.
    func names(in directory: String) -> [String]
    /// Makes renames and removals in a directory durable.
    func synchronise(directory: String) throws
    /// Different after each start of the machine: what was written before, and not synchronised, may be gone.
    var bootID: String { get }
}

public enum DiskMode: Sendable {
    case reading
    /// Created where it is missing.
    case updating
    /// Emptied, or created.
    case replacing
}

/// An open file; closed with its last reference.
public protocol DiskFile: AnyObject, Sendable {
    var byteCount: UInt64 { get throws }
    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws
    func truncate(to byteCount: UInt64) throws
    /// What was written is on the disk when this returns.
    func synchronise() throws
    /// Asks the system to begin to write these bytes to the disk, and waits for nothing.
    func beginWriting(_ range: Range<UInt64>)
}

extension DiskFile {
    public func beginWriting(_ range: Range<UInt64>) {}
}

extension Disk {
    /// A small file as a whole; `nil` where it is missing. Longer ones than `limit` are errors.
    public func contents(of path: String, atMost limit: Int = 1 << 20) throws -> [UInt8]? {
        guard byteCount(path) != nil else { return nil }
        let file = try open(path, .reading)
        let count = try file.byteCount
        guard count <= UInt64(limit) else {
            throw BlobError(.failed, "\(path) has \(count) bytes; at most \(limit) are read")
        }
        return try [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, filled in
            filled = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
    }

    /// Puts a small file in place so that it is there whole or not at all, and durable when this returns.
    public func store(_ bytes: [UInt8], at path: String) throws {
        let draft = path + ".new"
        try writeDurably(bytes, to: draft)
        try rename(draft, to: path)
        try synchronise(directory: Self.folder(of: path))
    }

    func writeDurably(_ bytes: [UInt8], to path: String) throws {
        let file = try open(path, .replacing)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronise()
    }

    public static func folder(of path: String) -> String {
        let path = withoutLastSlashes(path)
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last part of a path.
    public static func name(of path: String) -> String {
        let path = withoutLastSlashes(path)
        return path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) } ?? path
    }

    private static func withoutLastSlashes(_ path: String) -> String {
        var bytes = Array(path.utf8)
        while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
