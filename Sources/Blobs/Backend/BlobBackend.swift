import Federation

/// Where a store keeps its blobs. The contract is small, so that another place, such as an object store, is easy to add; one
/// suite of tests runs against every backend.
///
/// A backend knows names and bytes. That the bytes match their name is the business of ``BlobStore``.
public protocol BlobBackend: Sendable {
    /// What errors call the place.
    var place: String { get }
    /// The free space in bytes; `nil` if it is not known.
    var freeBytes: UInt64? { get }

    // MARK: Published blobs

    /// Returns a blob's size; `nil` if there is none of this name.
    ///
    /// - Parameter digest: The blob's name.
    func byteCount(of digest: Digest) -> UInt64?
    /// Opens a blob for reading at any offset.
    ///
    /// - Parameter digest: The blob's name.
    /// - Returns: The blob's bytes.
    /// - Throws: `BlobError` if it is missing or cannot be opened.
    func open(_ digest: Digest) throws -> any BlobContents
    /// Returns the names of all blobs, in any order.
    ///
    /// - Throws: `BlobError` if they cannot be listed.
    func digests() throws -> [Digest]
    /// Removes a blob; does nothing if there is none of this name.
    ///
    /// - Parameter digest: The blob's name.
    func remove(_ digest: Digest)
    /// Moves a damaged blob to where it can be examined but is not published.
    ///
    /// - Parameter digest: The blob's name.
    /// - Throws: `BlobError` if it cannot be moved.
    func setAside(_ digest: Digest) throws
    /// Adds a blob that another backend holds, which keeps it.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - other: The backend that holds the blob.
    /// - Throws: `BlobError` if the other one does not hold it, or it cannot be added durably.
    func share(_ digest: Digest, from other: any BlobBackend) throws
    /// Makes a blob a file at `path` without a copy of its bytes.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - path: Where the file will be; there must be nothing.
    /// - Returns: Whether it could; if not, the bytes must be copied.
    func link(_ digest: Digest, to path: String) -> Bool

    // MARK: Blobs in progress

    /// Creates an empty draft, which does not outlast the process.
    ///
    /// - Throws: `BlobError` if it cannot be created.
    func draft() throws -> any BlobDraft
    /// Starts or resumes the upload of a blob.
    ///
    /// - Parameters:
    ///   - digest: The name under which it will be published.
    ///   - byteCount: The blob's size.
    /// - Returns: The draft, with the bytes of an earlier upload that can be relied on.
    /// - Throws: `BlobError` if it cannot be opened.
    func upload(_ digest: Digest, byteCount: UInt64) throws -> any BlobDraft
    /// Returns the uploads that were begun and not finished, with the number of bytes that they hold.
    func unfinished() -> [Digest: UInt64]
    /// Removes what has arrived of an upload; does nothing if there is none of this name.
    ///
    /// - Parameter digest: The blob's name.
    func removeUnfinished(_ digest: Digest)
    /// Removes the drafts of earlier processes; uploads are kept.
    func removeDrafts()

    // MARK: The sites' uploads

    /// Returns the place of one site's uploads, which no other site sees; creates it if it is missing.
    ///
    /// - Parameter site: The site.
    /// - Throws: `BlobError` if it cannot be created.
    func incoming(of site: SiteID) throws -> any BlobBackend
    /// Returns the sites that have such a place.
    func incomingSites() -> [SiteID]
}

extension BlobBackend {
    /// Does nothing: a backend that does not keep blobs as files cannot link them.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - path: Where the file would be.
    /// - Returns: `false`, so that the bytes are copied.
    public func link(_ digest: Digest, to path: String) -> Bool { false }
}

/// Bytes that can be read at any offset.
public protocol BlobContents: AnyObject, Sendable {
    var byteCount: UInt64 { get throws }
    /// Reads up to `buffer.count` bytes at `offset`.
    ///
    /// - Parameters:
    ///   - buffer: Where the bytes go.
    ///   - offset: The offset of the first byte.
    /// - Returns: The number of bytes read; fewer than `buffer.count` only at the end.
    /// - Throws: `BlobError` if they cannot be read.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int
}

/// A blob in progress: written from its start to its end, then published.
public protocol BlobDraft: BlobContents {
    /// Writes bytes, which are durable only after `checkpoint(_:)` or `publish(as:)`.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - offset: The offset of the first byte.
    /// - Throws: `BlobError` if they cannot be written.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws
    /// Asks to start making these bytes durable; does not wait.
    ///
    /// - Parameter range: The bytes' offsets.
    func beginWriting(_ range: Range<UInt64>)
    /// Makes the first `count` bytes durable: an upload of the same name goes on after them, whatever happens to the
    /// process or the machine.
    ///
    /// - Parameter count: The number of bytes, which must have been written.
    /// - Throws: `BlobError` if they cannot be made durable.
    func checkpoint(_ count: UInt64) throws
    /// Makes all bytes durable, then visible under a name, in place of a blob that may have it. The draft must not be used
    /// afterwards.
    ///
    /// - Parameter digest: The name, which is not compared with the bytes.
    /// - Throws: `BlobError` if it cannot be published.
    func publish(as digest: Digest) throws
    /// Removes the bytes; does nothing after ``publish(as:)``.
    func discard()
}
