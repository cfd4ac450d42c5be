import Federation
import Identity
import Synchronization

/// A blob that is being received: bytes are written and hashed as they arrive.
///
/// An interrupted transfer resumes where it stopped. What a killed process had written is still in the page cache; only
/// a reboot can lose data that was not synchronised. After a reboot, therefore, only the number of bytes in
/// `<name>.durable` counts, which is written after those bytes are durable.
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
    private let files = Mutex<Files?>(nil)
    private let path: String
    private let observer: (any SpoolObserver)?

    private struct Counts {
        var received: UInt64 = 0
        var hashed: UInt64 = 0
        var durable: UInt64 = 0
        var writeBack = WriteBack()
        var isComplete = false
    }

    private struct Files {
        let blob: any DiskFile
        let note: DurabilityRecord
    }

    /// The number of bytes between two checkpoints, which a power failure may lose.
    public static let checkpointBytes: UInt64 = 8 << 20

    init(store: BlobStore, digest: Digest, byteCount: UInt64, observer: (any SpoolObserver)?) throws {
        self.store = store
        self.digest = digest
        self.byteCount = byteCount
        self.observer = observer
        path = store.partialPath(of: digest)
        if store.byteCount(of: digest) == byteCount {
            counts.withLock {
                $0 = Counts(received: byteCount, hashed: byteCount, durable: byteCount, isComplete: true)
            }
            return
        }
        let found = Files(
            blob: try store.disk.open(path, .updating),
            note: try DurabilityRecord(beside: path, store.disk)
        )
        files.withLock { $0 = found }
        // Also if both files exist: the process that created them may have died before their names were durable.
        try store.disk.synchronise(directory: SystemDisk.folder(of: path))
        try resume(found)
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
        let wasOpen = files.withLock { files in
            defer { files = nil }
            return files != nil
        }
        if wasOpen { store.closed(digest) }
    }

    private func resume(_ files: Files) throws {
        let newest = try files.note.newest
        let kept = min(
            byteCount,
            try files.blob.byteCount,
            newest.map { $0.bootID == store.disk.bootID ? .max : $0.durableBytes } ?? 0
        )
        try files.blob.truncate(to: kept)
        let read = try BlobStore.forEachBlock(of: files.blob, upTo: kept) { bytes, _ in hash(bytes) }
        guard read == kept else { throw BlobError(.failed, "a spool file became shorter while it was read") }
        counts.withLock { ($0.received, $0.writeBack) = (kept, WriteBack(from: kept)) }
        try files.blob.synchronise()
        try noteDurable(kept, files)
    }

    /// Appends the bytes at `offset`, which must be the end of what was appended before.
    ///
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
    /// - Throws: `BlobError` if the offset is wrong or the bytes cannot be written.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
        let (received, isComplete) = counts.withLock { ($0.received, $0.isComplete) }
        guard !isComplete, let files = files.withLock({ $0 }), offset == received,
            UInt64(bytes.count) <= byteCount - received
        else {
            throw BlobError(
                .wrongOffset,
                "got bytes at offset \(offset) of a blob of \(byteCount) bytes; expected offset \(received)"
            )
        }
        try files.blob.write(bytes, at: offset)
        let end = received + UInt64(bytes.count)
        let range = counts.withLock { counts in
            counts.received = end
            return counts.writeBack.range(upTo: end)
        }
        if let range { files.blob.beginWriting(range) }
    }

    /// Hashes the bytes that follow those hashed before.
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
        guard !counts.isComplete, counts.received > counts.durable, let files = files.withLock({ $0 }) else { return }
        try files.blob.synchronise()
        try noteDurable(counts.received, files)
    }

    private func noteDurable(_ count: UInt64, _ files: Files) throws {
        try files.note.write(count, bootID: store.disk.bootID)
        counts.withLock { $0.durable = count }
    }

    /// Publishes the blob, which must be completely written and hashed.
    ///
    /// - Throws: `BlobError` if bytes are missing, if the hash does not match the digest, or if it cannot be published.
    public func finish() throws {
        let counts = counts.withLock { $0 }
        guard !counts.isComplete, let files = files.withLock({ $0 }) else { return }
        guard counts.received == byteCount, counts.hashed == byteCount else {
            throw BlobError(
                .wrongOffset,
                "the blob ends at \(min(counts.received, counts.hashed)); expected \(byteCount) bytes"
            )
        }
        let found = hash.finish()
        guard found == digest else {
            // None of the bytes can be trusted; the next transfer starts from the beginning.
            discard()
            throw BlobError(.damaged, "the blob that was offered as \(digest.short) has the hash \(found.short)")
        }
        try files.blob.synchronise()
        try store.publish(path, as: digest)
        store.tags[digest] = tagger.finish()
        store.disk.remove(DurabilityRecord.path(path))
        release()
        self.counts.withLock { ($0.durable, $0.isComplete) = (byteCount, true) }
    }

    private func discard() {
        store.disk.remove(path)
        store.disk.remove(DurabilityRecord.path(path))
        release()
    }
}

/// Sees a blob's bytes in order, from the first one on, as they are hashed.
public protocol SpoolObserver: Sendable {
    func update(_ bytes: UnsafeRawBufferPointer)
}
