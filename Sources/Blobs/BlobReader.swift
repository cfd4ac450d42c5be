import Federation

/// Reads a published blob from any byte on.
public final class BlobReader: Sendable {
    public let byteCount: UInt64
    private let file: any DiskFile

    public init(_ store: BlobStore, _ digest: Digest) throws {
        file = try store.open(digest)
        byteCount = try file.byteCount
    }

    /// Any file of a disk, from any byte on.
    public init(_ path: String, disk: any Disk = SystemDisk()) throws {
        file = try disk.open(path, .reading)
        byteCount = try file.byteCount
    }

    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try file.read(into: buffer, at: offset)
    }
}
