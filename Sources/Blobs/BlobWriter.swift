import Federation
import Identity

/// A blob that is made here: hashed as it is written, and published under its digest at the end.
///
/// One thread at a time. What is not published is removed.
public final class BlobWriter {
    private let store: BlobStore
    /// Of the file until it is published.
    public let path: String
    private let file: any DiskFile
    private let hash = SHA256()
    private let tagger = ContentTagger()
    private var byteCount: UInt64 = 0
    /// Up to where the system was asked to write.
    private var begun: UInt64 = 0

    /// Bytes after which the system is asked to begin to write: then the end has little to wait for.
    static let writeBackBytes: UInt64 = 4 << 20

    public init(_ store: BlobStore) throws {
        self.store = store
        path = store.temporaryPath()
        file = try store.create(path)
    }

    // A published file is gone from here.
    deinit { store.discard(path) }

    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        try file.write(bytes, at: byteCount)
        hash.update(bytes)
        tagger.update(bytes)
        byteCount += UInt64(bytes.count)
        guard byteCount - begun >= Self.writeBackBytes else { return }
        file.beginWriting(begun..<byteCount)
        begun = byteCount
    }

    public func synchronise() throws { try file.synchronise() }

    /// Makes the blob durable under its digest. The writer is of no use afterwards.
    public func publish() throws -> (digest: Digest, byteCount: UInt64) {
        try file.synchronise()
        let digest = hash.finish()
        try store.publish(path, as: digest)
        store.tags[digest] = tagger.finish()
        return (digest, byteCount)
    }
}
