import Federation

/// Reads a published blob at any offset.
public final class BlobReader: Sendable {
    public let byteCount: UInt64
    private let file: any DiskFile

    public init(_ store: BlobStore, _ digest: Digest) throws {
        file = try store.open(digest)
        byteCount = try file.byteCount
    }

    /// Opens any file of a disk, to be read at any offset.
    ///
    /// - Throws: `BlobError` if the file cannot be opened.
    public init(_ path: String, disk: any Disk = SystemDisk()) throws {
        file = try disk.open(path, .reading)
        byteCount = try file.byteCount
    }

    /// Reads up to `buffer.count` bytes at `offset`.
    ///
    /// - Returns: The number of bytes read; fewer than `buffer.count` only at the end of the file.
    /// - Throws: `BlobError` if the file cannot be read.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try file.read(into: buffer, at: offset)
    }
}
