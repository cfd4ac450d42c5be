import Federation
import Foundation
import Identity

/// Files named by their SHA-256, each whole or not there.
///
/// `objects/ab/abcd…` are published blobs; `partial/abcd…` are on their way. A blob is published by a rename after its
/// bytes are on the disk and its hash is right, so a reader never sees half of one.
public final class BlobStore: Sendable {
    public let directory: String
    private var objects: String { directory + "/objects" }
    private var partial: String { directory + "/partial" }

    /// Opens or creates a store.
    public init(directory: String) throws {
        self.directory = directory
        try makeDirectory(directory + "/objects")
        try makeDirectory(directory + "/partial")
    }

    public func path(of digest: Digest) -> String { "\(objects)/\(digest.hex.prefix(2))/\(digest.hex)" }
    func partialPath(of digest: Digest) -> String { "\(partial)/\(digest.hex)" }

    /// The blob's size; `nil` where it is not here.
    public func byteCount(of digest: Digest) -> UInt64? {
        var status = stat()
        guard stat(path(of: digest), &status) == 0 else { return nil }
        return UInt64(status.st_size)
    }

    public func contains(_ digest: Digest) -> Bool { byteCount(of: digest) != nil }

    /// Begins or resumes taking in a blob.
    public func spool(_ digest: Digest, byteCount: UInt64) throws -> Spool {
        try Spool(store: self, digest: digest, byteCount: byteCount)
    }

    /// Takes in a file that is on this file system, by a rename. The file must be durable and not change.
    /// Gives back its digest and size.
    @discardableResult
    public func adopt(_ file: String) throws -> (digest: Digest, byteCount: UInt64) {
        let (digest, byteCount) = try BlobStore.digest(ofFile: file)
        if contains(digest) { unlink(file) } else { try publish(file, as: digest) }
        return (digest, byteCount)
    }

    /// Copies a file into the store.
    @discardableResult
    public func add(copyOf file: String) throws -> (digest: Digest, byteCount: UInt64) {
        let copy = temporaryPath()
        try FileManager.default.copyItem(atPath: file, toPath: copy)
        try synchronise(copy)
        return try adopt(copy)
    }

    /// A path for a file that will be adopted.
    public func temporaryPath() -> String { "\(partial)/new-\(UUID().uuidString.lowercased())" }

    /// Reads a published blob again and compares its hash with its name.
    public func verify(_ digest: Digest) throws {
        guard contains(digest) else { throw BlobError(.missing, "blob \(digest.hex) is missing") }
        guard try BlobStore.digest(ofFile: path(of: digest)).digest == digest else {
            throw BlobError(.damaged, "blob \(digest.hex) is damaged: its bytes have another hash")
        }
    }

    /// All published blobs, sorted.
    public func all() throws -> [Digest] {
        let prefixes = try FileManager.default.contentsOfDirectory(atPath: objects)
        return try prefixes.flatMap { try FileManager.default.contentsOfDirectory(atPath: objects + "/" + $0) }
            .compactMap(Digest.init(hex:)).sorted()
    }

    public func remove(_ digest: Digest) { unlink(path(of: digest)) }

    /// Removes what former runs left behind, except uploads that can be resumed.
    public func removeLeftovers() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? [] where name.hasPrefix("new-") {
            unlink("\(partial)/\(name)")
        }
    }

    func publish(_ file: String, as digest: Digest) throws {
        let target = path(of: digest)
        let folder = (target as NSString).deletingLastPathComponent
        let isNew = access(folder, F_OK) != 0
        try makeDirectory(folder)
        guard rename(file, target) == 0 else { throw BlobError.system("cannot publish a blob") }
        try synchronise(folder)
        if isNew { try synchronise(objects) }
    }

    /// SHA-256 and size of a file.
    public static func digest(ofFile path: String) throws -> (digest: Digest, byteCount: UInt64) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw BlobError.system("cannot open \(path)") }
        defer { close(descriptor) }
        let hash = SHA256()
        var total: UInt64 = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw BlobError.system("cannot read \(path)") }
            if count == 0 { break }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            total += UInt64(count)
        }
        return (hash.finish(), total)
    }
}

/// A blob that cannot be stored or read.
public struct BlobError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable { case missing, damaged, wrongOffset, full, failed }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func system(_ message: String) -> BlobError {
        let number = errno
        let code: Code = number == ENOSPC || number == EDQUOT ? .full : number == ENOENT ? .missing : .failed
        return BlobError(code, "\(message): \(String(cString: strerror(number)))")
    }

    public static func == (a: BlobError, b: BlobError) -> Bool { a.code == b.code }
    public var description: String { message }
}

func makeDirectory(_ path: String) throws {
    do {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
        throw BlobError(.failed, "cannot make the directory \(path): \(error)")
    }
}

/// fsync of a file or a directory.
public func synchronise(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BlobError.system("cannot open \(path)") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw BlobError.system("cannot make \(path) durable") }
}
