import Federation

/// Reads a published blob, or a file, at any offset.
public final class BlobReader: Sendable {
    public let byteCount: UInt64
    private let contents: any BlobContents

    public init(_ store: BlobStore, _ digest: Digest) throws {
        contents = try store.open(digest)
        byteCount = try contents.byteCount
    }

    /// Opens a file of this machine, to be read at any offset.
    ///
    /// - Throws: `BlobError` if the file cannot be opened.
    public init(_ path: String) throws {
        contents = try SystemDisk().open(path, .reading)
        byteCount = try contents.byteCount
    }

    /// Reads up to `buffer.count` bytes at `offset`.
    ///
    /// - Returns: The number of bytes read; fewer than `buffer.count` only at the end of the file.
    /// - Throws: `BlobError` if the file cannot be read.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try contents.read(into: buffer, at: offset)
    }
}
