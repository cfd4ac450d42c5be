import Federation
import Identity
import Synchronization

/// A blob on its way in: bytes go to the disk and through the hash as they arrive.
///
/// An interrupted transfer goes on where it was. What a killed process had written is still there, because the machine
/// keeps it; only a machine that stopped may have lost what was not synchronised, so after another start of the machine
/// what counts is the number in `<name>.durable`, which is written after the bytes that it counts.
///
/// One thread at a time writes, one hashes, and one makes durable; they may be three. ``append(_:at:)`` does all of it
/// on one.
public final class Spool: Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    private let counts = Mutex(Counts())
    // Unchecked: one thread at a time hashes.
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
        /// Up to where the system was asked to write.
        var begun: UInt64 = 0
        var isComplete = false
    }

    private struct Files {
        let blob: any DiskFile
        let note: SpoolNote
    }

    /// Bytes between two checkpoints: what a power failure may cost.
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
        let found = Files(blob: try store.disk.open(path, .updating), note: try SpoolNote(beside: path, store.disk))
        files.withLock { $0 = found }
        // Also where both are there: the process that made them may have died before it made their names durable.
        try store.disk.synchronise(directory: SystemDisk.folder(of: path))
        try resume(found)
        if receivedBytes == byteCount { try finish() }
    }

    deinit { release() }

    /// Bytes that would survive a power failure.
    public var durableBytes: UInt64 { counts.withLock { $0.durable } }
    /// Bytes that have arrived: the next ones belong here.
    public var receivedBytes: UInt64 { counts.withLock { $0.received } }
    public var isComplete: Bool { counts.withLock { $0.isComplete } }

    /// Lets another spool of the blob begin.
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
        counts.withLock { ($0.received, $0.begun) = (kept, kept) }
        try files.blob.synchronise()
        try noteDurable(kept, files)
    }

    /// Appends the bytes at `offset`, which must be where the last ones ended. Returns whether a checkpoint was made.
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

    // MARK: The parts of it

    /// Writes the bytes at `offset`, which must be where the last ones ended.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
        let (received, isComplete) = counts.withLock { ($0.received, $0.isComplete) }
        guard !isComplete, let files = files.withLock({ $0 }), offset == received,
            UInt64(bytes.count) <= byteCount - received
        else {
            throw BlobError(
                .wrongOffset,
                "bytes at \(offset), but the blob of \(byteCount) bytes goes on at \(received)"
            )
        }
        try files.blob.write(bytes, at: offset)
        let end = received + UInt64(bytes.count)
        let begun = counts.withLock { counts -> UInt64 in
            counts.received = end
            defer { if end - counts.begun >= BlobWriter.writeBackBytes { counts.begun = end } }
            return counts.begun
        }
        if end - begun >= BlobWriter.writeBackBytes { files.blob.beginWriting(begun..<end) }
    }

    /// Hashes the bytes after those that were hashed before.
    public func hash(_ bytes: UnsafeRawBufferPointer) {
        hash.update(bytes)
        tagger.update(bytes)
        observer?.see(bytes)
        counts.withLock { $0.hashed += UInt64(bytes.count) }
    }

    /// Whether so much was written since the last checkpoint that another one is due.
    public var isCheckpointDue: Bool { counts.withLock { $0.received - $0.durable >= store.checkpointBytes } }

    /// Makes what has been written durable; called when a transfer is interrupted too.
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

    /// Publishes the blob, all of which is written and hashed; throws where its bytes are others than its name says.
    public func finish() throws {
        let counts = counts.withLock { $0 }
        guard !counts.isComplete, let files = files.withLock({ $0 }) else { return }
        guard counts.received == byteCount, counts.hashed == byteCount else {
            throw BlobError(
                .wrongOffset,
                "the blob of \(byteCount) bytes ends at \(min(counts.received, counts.hashed))"
            )
        }
        let found = hash.finish()
        guard found == digest else {
            // Nothing of it can be trusted; the next transfer begins anew.
            discard()
            throw BlobError(.damaged, "the blob that was offered as \(digest.short) has the hash \(found.short)")
        }
        try files.blob.synchronise()
        try store.publish(path, as: digest)
        store.tags[digest] = tagger.finish()
        store.disk.remove(SpoolNote.path(path))
        release()
        self.counts.withLock { ($0.durable, $0.isComplete) = (byteCount, true) }
    }

    private func discard() {
        store.disk.remove(path)
        store.disk.remove(SpoolNote.path(path))
        release()
    }
}

/// Looks at a blob's bytes in order, from the first one on, as they are hashed.
public protocol SpoolObserver: Sendable {
    func see(_ bytes: UnsafeRawBufferPointer)
}
