import Federation
import Identity

extension BlobStore {
    /// Writes a blob to a new file, whose bytes are on the disk when this returns.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - path: There must be nothing at it.
    ///   - isShared: Whether the file may be a hard link to the store's, because nothing will change it.
    /// - Throws: `BlobError` if the blob is missing or the file cannot be written.
    public func export(_ digest: Digest, to path: String, isShared: Bool = false) throws {
        if isShared, contains(digest), backend.link(digest, to: path) { return }
        let (source, disk) = (try open(digest), SystemDisk())
        guard disk.byteCount(path) == nil else { throw BlobError(.failed, "\(path) already exists") }
        try disk.copy(source, to: path)
    }

    /// Copies a file into the store.
    ///
    /// - Parameter path: The file's path.
    /// - Returns: The blob's digest and size.
    /// - Throws: `BlobError` if the file cannot be read or the copy cannot be written.
    @discardableResult
    public func add(copyOf path: String) throws -> (digest: Digest, byteCount: UInt64) {
        let writer = try BlobWriter(self)
        try SystemDisk().open(path, .reading).forEachBlock { bytes, _ in try writer.append(bytes) }
        return try writer.publish()
    }

    /// Returns the SHA-256 and the size of a file on this machine.
    ///
    /// - Parameter path: The file's path.
    /// - Throws: `BlobError` if the file cannot be read.
    public static func digest(ofFile path: String) throws -> (digest: Digest, byteCount: UInt64) {
        try SystemDisk().open(path, .reading).digest()
    }

    /// Where a blob's file is: for what simulates the disk, and for tests. Others read the blob through the store, or let it
    /// write a file of theirs.
    package func path(of digest: Digest) -> String { (backend as? FileBlobs)?.path(of: digest) ?? "" }
}
