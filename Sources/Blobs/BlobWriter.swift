import Federation
import Identity

/// Writes a blob that is produced locally: it is hashed while it is written, and published under its digest at the end.
///
/// Used by one thread at a time. A blob that is not published is removed.
public final class BlobWriter {
    private let store: BlobStore
    /// The path of the file until it is published.
    public let path: String
    private let file: any DiskFile
    private let hash = SHA256()
    private let tagger = ContentTagger()
    private var byteCount: UInt64 = 0
    private var writeBack = WriteBack()

    public init(_ store: BlobStore) throws {
        self.store = store
        path = store.temporaryPath()
        file = try store.create(path)
    }

    // A published file has been moved away, so there is nothing to remove.
    deinit { store.discard(path) }

    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        try file.write(bytes, at: byteCount)
        hash.update(bytes)
        tagger.update(bytes)
        byteCount += UInt64(bytes.count)
        if let range = writeBack.range(upTo: byteCount) { file.beginWriting(range) }
    }

    public func synchronise() throws { try file.synchronise() }

    /// Makes the blob durable under its digest. The writer must not be used afterwards.
    ///
    /// - Returns: The blob's digest and size.
    /// - Throws: `BlobError` if the blob cannot be written.
    public func publish() throws -> (digest: Digest, byteCount: UInt64) {
        try file.synchronise()
        let digest = hash.finish()
        try store.publish(path, as: digest)
        store.tags[digest] = tagger.finish()
        return (digest, byteCount)
    }
}
