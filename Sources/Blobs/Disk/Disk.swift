/// Storage for files: the machine's file system, or a simulated one that loses what was not synchronised.
public protocol Disk: Sendable {
    /// Creates a directory and its missing parents; does nothing if it exists.
    ///
    /// - Parameter path: The directory's path.
    /// - Throws: `BlobError` if a directory cannot be created.
    func makeDirectory(_ path: String) throws
    /// Opens a file.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - mode: Whether to read or to write, and what to do if there is a file or none.
    /// - Returns: The file.
    /// - Throws: `BlobError` if it cannot be opened; its code is `missing` if there is none.
    func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile
    /// Returns the size of a file; `nil` if there is none at `path`.
    ///
    /// - Parameter path: The file's path.
    func byteCount(_ path: String) -> UInt64?
    /// Renames a file, in place of one that `target` may name; durable after `synchronise(directory:)`.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - target: Its new path.
    /// - Throws: `BlobError` if the file cannot be renamed.
    func rename(_ path: String, to target: String) throws
    /// Creates a hard link to a file; there must be nothing at `target`.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - target: The link's path.
    /// - Throws: `BlobError` if the link cannot be created.
    func link(_ path: String, to target: String) throws
    /// Removes a file; does nothing if it is missing.
    ///
    /// - Parameter path: The file's path.
    func remove(_ path: String)
    /// Returns the names in a directory; empty if it is missing.
    ///
    /// - Parameter directory: The directory's path.
    func names(in directory: String) -> [String]
    /// Makes renames and removals in a directory durable.
    ///
    /// - Parameter directory: The directory's path.
    /// - Throws: `BlobError` if the directory cannot be synchronised.
    func synchronise(directory: String) throws
    /// Changes at every reboot: data written before it and not synchronised may be lost.
    var bootID: String { get }
}

public enum DiskMode: Sendable {
    case reading
    /// Created if it is missing.
    case updating
    /// Truncated, or created if it is missing.
    case replacing
}

/// An open file; closed when its last reference is released.
public protocol DiskFile: BlobContents {
    /// Whether the file has more than one name, so that changes to it show under another one.
    var hasOtherNames: Bool { get throws }
    /// Writes bytes, which are durable only after `synchronise()`.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - offset: The offset of the first byte.
    /// - Throws: `BlobError` if they cannot be written.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws
    /// Shortens or extends the file; new bytes are zero.
    ///
    /// - Parameter byteCount: The new size, in bytes.
    /// - Throws: `BlobError` if the size cannot be changed.
    func truncate(to byteCount: UInt64) throws
    /// Returns when all written bytes are on the disk.
    ///
    /// - Throws: `BlobError` if they cannot be written.
    func synchronise() throws
    /// Asks the system to start writing these bytes to the disk; does not wait.
    ///
    /// - Parameter range: The bytes' offsets.
    func beginWriting(_ range: Range<UInt64>)
}

extension DiskFile {
    /// Does nothing: the bytes are written by `synchronise()` at the latest.
    ///
    /// - Parameter range: The bytes' offsets.
    public func beginWriting(_ range: Range<UInt64>) {}
}

extension Disk {
    /// Reads a small file as a whole.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - limit: The largest size to accept, in bytes.
    /// - Returns: The file's bytes; `nil` if it is missing.
    /// - Throws: `BlobError` if the file is too large or cannot be read.
    public func contents(of path: String, atMost limit: Int = 1 << 20) throws -> [UInt8]? {
        let file: any DiskFile
        do { file = try open(path, .reading) } catch let error as BlobError where error.code == .missing { return nil }
        let count = try file.byteCount
        guard count <= UInt64(limit) else {
            throw BlobError(.failed, "\(path) has \(count) bytes; expected at most \(limit)")
        }
        return try [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, filled in
            filled = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
    }

    /// Writes a small file atomically; it is durable when this returns.
    ///
    /// - Parameters:
    ///   - bytes: The file's new contents.
    ///   - path: The file's path; a file at this path with `.new` at its end is replaced too.
    /// - Throws: `BlobError` if the file cannot be written.
    public func store(_ bytes: [UInt8], at path: String) throws {
        let draft = path + ".new"
        // After a power failure in the middle of a rename, some file systems have both names for the file at `path`, and
        // writing to the draft would write to that file.
        remove(draft)
        try writeDurably(bytes, to: draft)
        try rename(draft, to: path)
        try synchronise(directory: Self.folder(of: path))
    }

    /// Copies contents to a file, which is durable when this returns; if it cannot be written, none is left.
    func copy(_ contents: any BlobContents, to path: String) throws {
        let file = try open(path, .replacing)
        do {
            try contents.forEachBlock { try file.write($0, at: $1) }
            try file.synchronise()
        } catch {
            remove(path)
            throw error
        }
    }

    func writeDurably(_ bytes: [UInt8], to path: String) throws {
        let file = try open(path, .replacing)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronise()
    }

    /// Returns the folder of a path, without the last component; "." for a path without slashes, "/" for the root.
    ///
    /// - Parameter path: The path; slashes at its end are ignored.
    public static func folder(of path: String) -> String {
        let path = withoutLastSlashes(path)
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Returns the last component of a path.
    ///
    /// - Parameter path: The path; slashes at its end are ignored.
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
