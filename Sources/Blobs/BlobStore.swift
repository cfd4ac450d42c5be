import Federation
import Identity
import Synchronization

/// A content-addressed store: blobs named by their SHA-256, each either complete or absent.
///
/// Where they are kept is the business of a ``BlobBackend``. The store is what relates bytes to names: it publishes a blob
/// once its hash is known to be its name, and finds damage.
public final class BlobStore: Sendable {
    package let backend: any BlobBackend
    /// The number of bytes between two checkpoints of a spool.
    let checkpointBytes: UInt64
    /// Open spools: two writers of one upload would publish a mixture.
    private let spooling = Mutex<Set<Digest>>([])
    let tags = BlobTags()

    /// Makes a store of a backend.
    ///
    /// - Parameters:
    ///   - backend: Where the blobs are kept; only this store may write to it.
    ///   - checkpointBytes: The number of bytes between two checkpoints of an upload, which a power failure may lose.
    public init(_ backend: any BlobBackend, checkpointBytes: UInt64 = Spool.checkpointBytes) {
        self.backend = backend
        self.checkpointBytes = checkpointBytes
    }

    /// Opens or creates a store in a directory.
    ///
    /// - Parameter directory: The directory's path.
    /// - Throws: `BlobError` if the directories cannot be created.
    public convenience init(directory: String) throws { self.init(try FileBlobs(directory: directory)) }

    /// Opens a store in a directory for reading; creates nothing.
    ///
    /// - Parameter directory: The directory's path.
    public convenience init(reading directory: String) { self.init(FileBlobs(reading: directory)) }

    /// What errors call the store.
    public var place: String { backend.place }
    /// The free space in bytes; `nil` if it is not known.
    public var freeBytes: UInt64? { backend.freeBytes }

    // MARK: Reading blobs

    /// Returns the blob's size in bytes; `nil` if the store does not hold it.
    ///
    /// - Parameter digest: The blob's name.
    public func byteCount(of digest: Digest) -> UInt64? { backend.byteCount(of: digest) }
    /// Whether the store holds a blob completely.
    ///
    /// - Parameter digest: The blob's name.
    public func contains(_ digest: Digest) -> Bool { byteCount(of: digest) != nil }

    /// Opens a published blob for reading.
    ///
    /// - Parameter digest: The blob's name.
    /// - Returns: The blob's bytes, which can be read at any offset.
    /// - Throws: `BlobError` if the blob is missing or cannot be opened.
    public func open(_ digest: Digest) throws -> any BlobContents { try backend.open(digest) }

    /// Returns the digests of all published blobs, sorted.
    ///
    /// - Throws: `BlobError` if they cannot be listed.
    public func all() throws -> [Digest] { try backend.digests().sorted() }

    /// Removes a published blob; does nothing if the store does not hold it.
    ///
    /// - Parameter digest: The blob's name.
    public func remove(_ digest: Digest) {
        tags[digest] = nil
        backend.remove(digest)
    }

    // MARK: Receiving blobs

    /// Starts or resumes receiving a blob; only one spool per blob can be open.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - byteCount: The blob's size.
    ///   - observer: Sees all bytes, including those that arrived before; not called if the blob is already here.
    /// - Returns: The spool, complete if the blob is here.
    /// - Throws: `BlobError` if the blob is already being written or cannot be opened.
    public func spool(_ digest: Digest, byteCount: UInt64, observer: (any SpoolObserver)? = nil) throws -> Spool {
        guard spooling.withLock({ $0.insert(digest).inserted }) else {
            throw BlobError(.busy, "blob \(digest.short) is being written already")
        }
        let mark = SpoolMark { self.spooling.withLock { _ = $0.remove(digest) } }
        return try Spool(store: self, digest: digest, byteCount: byteCount, observer: observer, mark)
    }

    /// Returns the digests of blobs that have been received only in part, with the number of bytes that are here.
    public func unfinished() -> [Digest: UInt64] { backend.unfinished() }

    /// Removes what has arrived of a blob, unless it is being received now.
    ///
    /// - Parameter digest: The blob's name.
    public func removeUnfinished(_ digest: Digest) {
        guard !spooling.withLock({ $0.contains(digest) }) else { return }
        backend.removeUnfinished(digest)
    }

    // MARK: Blobs of other stores

    /// Adds a blob of another store, which keeps it and has already hashed the bytes and made them durable.
    ///
    /// - Throws: `BlobError` if the other store does not have it or it cannot be added.
    func share(_ digest: Digest, from other: BlobStore) throws {
        tags[digest] = other.tags[digest]
        try backend.share(digest, from: other.backend)
    }

    /// Takes a blob of another store; the other store does not have it afterwards.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - other: The store that has the blob.
    /// - Throws: `BlobError` if the blob is missing, its bytes are not those of its name, or it cannot be moved.
    public func take(_ digest: Digest, from other: BlobStore) throws {
        try other.verify(digest)
        try share(digest, from: other)
        other.remove(digest)
    }

    // MARK: Maintenance

    /// Reads a published blob again and compares it with the tag that this process made, or, if there is none, its hash
    /// with its name.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - expected: The blob's size, if it is known; a blob of another size is reported without being read.
    /// - Throws: `BlobError` if the blob is missing or damaged, or cannot be read.
    public func verify(_ digest: Digest, byteCount expected: UInt64? = nil) throws {
        guard let size = byteCount(of: digest) else { throw BlobError(.missing, "blob \(digest.hex) is missing") }
        guard expected == nil || size == expected else {
            throw BlobError(.damaged, "blob \(digest.hex) is damaged: it has \(size) bytes; expected \(expected!)")
        }
        guard try hasItsBytes(digest) else {
            throw BlobError(.damaged, "blob \(digest.hex) is damaged: its bytes have another hash")
        }
    }

    private func hasItsBytes(_ digest: Digest) throws -> Bool {
        let blob = try open(digest)
        guard let tag = tags[digest] else { return try blob.digest().digest == digest }
        let tagger = ContentTagger(again: tag)
        try blob.forEachBlock { bytes, _ in tagger.update(bytes) }
        return tagger.finish() == tag
    }

    /// Moves a damaged blob aside, so that it can be fetched again; it is kept for investigation.
    ///
    /// - Parameter digest: The blob's name.
    /// - Throws: `BlobError` if the blob is missing or cannot be moved.
    public func setAside(_ digest: Digest) throws { try backend.setAside(digest) }

    /// Removes drafts of earlier runs, but keeps transfers that can be resumed.
    public func removeLeftovers() { backend.removeDrafts() }

    /// Removes all blobs, including those received only in part.
    public func removeAll() {
        removeLeftovers()
        for digest in (try? all()) ?? [] { remove(digest) }
        for digest in unfinished().keys { removeUnfinished(digest) }
    }
}
