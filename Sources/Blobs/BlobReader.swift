import Federation

/// Reads a published blob, or a file, at any offset.
public final class BlobReader: Sendable {
    public let byteCount: UInt64
    private let contents: any BlobContents

    /// Opens a published blob, to be read at any offset.
    ///
    /// - Parameters:
    ///   - store: The store that holds the blob.
    ///   - digest: The blob's name.
    /// - Throws: `BlobError` if the blob is missing or cannot be opened.
    public init(_ store: BlobStore, _ digest: Digest) throws {
        contents = try store.open(digest)
        byteCount = try contents.byteCount
    }

    /// Opens a file of this machine, to be read at any offset.
    ///
    /// - Parameter path: The file's path.
    /// - Throws: `BlobError` if the file is missing, is not a regular file or cannot be opened.
    public init(_ path: String) throws {
        contents = try SystemDisk().open(path, .reading)
        byteCount = try contents.byteCount
    }

    /// Reads up to `buffer.count` bytes at `offset`.
    ///
    /// - Parameters:
    ///   - buffer: Where the bytes go.
    ///   - offset: The offset of the first byte.
    /// - Returns: The number of bytes read; fewer than `buffer.count` only at the end of the file.
    /// - Throws: `BlobError` if the file cannot be read.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try contents.read(into: buffer, at: offset)
    }
}
