import Federation
import Identity
import Synchronization

/// A blob that is being received: bytes are written and hashed as they arrive.
///
/// An interrupted transfer resumes where it stopped: at the last checkpoint or later, as the backend can tell.
///
/// Writing, hashing and making durable may run on three different threads, with one thread at a time for each.
/// ``append(_:at:)`` does all three on the calling thread.
public final class Spool: Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    private let counts = Mutex(Counts())
    // Unchecked: only one thread at a time hashes.
    private nonisolated(unsafe) let hash = SHA256()
    private nonisolated(unsafe) let tagger = ContentTagger()
    private let store: BlobStore
    private let mark: SpoolMark
    /// `nil` when the blob is complete or was discarded.
    private let draft = Mutex<(any BlobDraft)?>(nil)
    private let observer: (any SpoolObserver)?

    private struct Counts {
        var received: UInt64 = 0
        var hashed: UInt64 = 0
        var durable: UInt64 = 0
        var writeBack = WriteBack()
        var isComplete = false
    }

    /// The number of bytes between two checkpoints, which a power failure may lose.
    public static let checkpointBytes: UInt64 = 8 << 20

    init(
        store: BlobStore,
        digest: Digest,
        byteCount: UInt64,
        observer: (any SpoolObserver)?,
        _ mark: SpoolMark
    ) throws {
        self.mark = mark
        self.store = store
        self.digest = digest
        self.byteCount = byteCount
        self.observer = observer
        if store.byteCount(of: digest) == byteCount {
            counts.withLock {
                $0 = Counts(received: byteCount, hashed: byteCount, durable: byteCount, isComplete: true)
            }
            mark.remove()
            return
        }
        let opened = try store.backend.upload(digest, byteCount: byteCount)
        draft.withLock { $0 = opened }
        try resume(opened)
        if receivedBytes == byteCount { try finish() }
    }

    deinit { release() }

    /// The number of bytes that would survive a power failure.
    public var durableBytes: UInt64 { counts.withLock { $0.durable } }
    /// The number of bytes that have arrived, which is the offset of the next ones.
    public var receivedBytes: UInt64 { counts.withLock { $0.received } }
    public var isComplete: Bool { counts.withLock { $0.isComplete } }

    /// Allows another spool of this blob to be opened.
    private func release() {
        draft.withLock { $0 = nil }
        mark.remove()
    }

    private func resume(_ draft: any BlobDraft) throws {
        let kept = try draft.byteCount
        let read = try draft.forEachBlock { bytes, _ in hash(bytes) }
        guard read == kept else { throw BlobError(.failed, "a spool became shorter while it was read") }
        counts.withLock { ($0.received, $0.durable, $0.writeBack) = (kept, kept, WriteBack(from: kept)) }
    }

    /// Appends the bytes at `offset`, which must be the end of what was appended before.
    ///
    /// - Parameters:
    ///   - bytes: The next bytes of the blob.
    ///   - offset: Their offset in the blob, which is ``receivedBytes``.
    /// - Returns: Whether a checkpoint was made.
    /// - Throws: `BlobError` if the offset is wrong, the bytes cannot be written, or the complete blob has the wrong
    ///   hash.
    @discardableResult
    public func append(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws -> Bool {
        try write(bytes, at: offset)
        hash(bytes)
        if receivedBytes == byteCount {
            try finish()
            return true
        }
        guard isCheckpointDue else { return false }
        try checkpoint()
        return true
    }

    // MARK: The steps of an append

    /// Writes the bytes at `offset`, which must be the end of what was written before.
    ///
    /// - Parameters:
    ///   - bytes: The next bytes of the blob.
    ///   - offset: Their offset in the blob, which is ``receivedBytes``.
    /// - Throws: `BlobError` if the offset is wrong or the bytes cannot be written.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
        let (received, isComplete) = counts.withLock { ($0.received, $0.isComplete) }
        guard !isComplete, let draft = draft.withLock({ $0 }), offset == received,
            UInt64(bytes.count) <= byteCount - received
        else {
            throw BlobError(
                .wrongOffset,
                "got bytes at offset \(offset) of a blob of \(byteCount) bytes; expected offset \(received)"
            )
        }
        try draft.write(bytes, at: offset)
        let end = received + UInt64(bytes.count)
        let range = counts.withLock { counts in
            counts.received = end
            return counts.writeBack.range(upTo: end)
        }
        if let range { draft.beginWriting(range) }
    }

    /// Hashes the bytes that follow those hashed before.
    ///
    /// - Parameter bytes: Bytes that were written before, in the same order.
    public func hash(_ bytes: UnsafeRawBufferPointer) {
        hash.update(bytes)
        tagger.update(bytes)
        observer?.update(bytes)
        counts.withLock { $0.hashed += UInt64(bytes.count) }
    }

    /// Whether enough was written since the last checkpoint for another one.
    public var isCheckpointDue: Bool { counts.withLock { $0.received - $0.durable >= store.checkpointBytes } }

    /// Makes durable what has been written. Also called when a transfer is interrupted.
    ///
    /// - Throws: `BlobError` if the file cannot be synchronised.
    public func checkpoint() throws {
        let counts = counts.withLock { $0 }
        guard !counts.isComplete, counts.received > counts.durable, let draft = draft.withLock({ $0 }) else { return }
        try draft.checkpoint(counts.received)
        self.counts.withLock { $0.durable = counts.received }
    }

    /// Publishes the blob, which must be completely written and hashed.
    ///
    /// - Throws: `BlobError` if bytes are missing, if the hash does not match the digest, or if it cannot be published.
    public func finish() throws {
        let counts = counts.withLock { $0 }
        guard !counts.isComplete, let draft = draft.withLock({ $0 }) else { return }
        guard counts.received == byteCount, counts.hashed == byteCount else {
            throw BlobError(
                .wrongOffset,
                "the blob ends at \(min(counts.received, counts.hashed)); expected \(byteCount) bytes"
            )
        }
        let found = hash.finish()
        guard found == digest else {
            // None of the bytes can be trusted; the next transfer starts from the beginning.
            draft.discard()
            release()
            throw BlobError(.damaged, "the blob that was offered as \(digest.short) has the hash \(found.short)")
        }
        try draft.publish(as: digest)
        store.tags[digest] = tagger.finish()
        release()
        self.counts.withLock { ($0.durable, $0.isComplete) = (byteCount, true) }
    }
}

/// Sees a blob's bytes in order, from the first one on, as they are hashed.
public protocol SpoolObserver: Sendable {
    /// Receives the next bytes.
    ///
    /// - Parameter bytes: The bytes, which are valid only during the call.
    func update(_ bytes: UnsafeRawBufferPointer)
}
