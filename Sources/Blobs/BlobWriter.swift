import Federation
import Identity

/// Writes a blob that is produced locally: it is hashed while it is written, and published under its digest at the end.
///
/// Used by one thread at a time. A blob that is not published is removed.
public final class BlobWriter {
    private let store: BlobStore
    private let draft: any BlobDraft
    private let hash = SHA256()
    private let tagger = ContentTagger()
    private var byteCount: UInt64 = 0
    private var writeBack = WriteBack()

    /// Starts an empty blob.
    ///
    /// - Parameter store: The store that will hold it.
    /// - Throws: `BlobError` if nothing can be written there.
    public init(_ store: BlobStore) throws {
        self.store = store
        draft = try store.backend.draft()
    }

    deinit { draft.discard() }

    /// What was appended, to be read before it is published.
    public var contents: any BlobContents { draft }

    /// Writes and hashes the next bytes of the blob.
    ///
    /// - Parameter bytes: The bytes, which are not needed after the call.
    /// - Throws: `BlobError` if the bytes cannot be written; its code is `full` if the disk is full.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        try draft.write(bytes, at: byteCount)
        hash.update(bytes)
        tagger.update(bytes)
        byteCount += UInt64(bytes.count)
        if let range = writeBack.range(upTo: byteCount) { draft.beginWriting(range) }
    }

    /// Makes the blob durable and visible under its digest. The writer must not be used afterwards.
    ///
    /// - Returns: The blob's digest and size.
    /// - Throws: `BlobError` if the blob cannot be written.
    public func publish() throws -> (digest: Digest, byteCount: UInt64) {
        let digest = hash.finish()
        // An existing blob of that name is replaced: it may be damaged, and this one is not.
        try draft.publish(as: digest)
        store.tags[digest] = tagger.finish()
        return (digest, byteCount)
    }
}
