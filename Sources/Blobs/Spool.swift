import Federation
import Identity

/// A blob on its way in: bytes go to the disk and through the hash as they arrive.
///
/// An interrupted transfer goes on where it was. What a killed process had written is still there, because the machine
/// keeps it; only a machine that stopped may have lost what was not synchronised, so after another start of the machine
/// what counts is the number in `<name>.durable`, which is written after the bytes that it counts.
public final class Spool: @unchecked Sendable {
    // Unchecked: one connection writes to a spool, one chunk after the other.
    public let digest: Digest
    public let byteCount: UInt64
    /// Bytes that would survive a power failure.
    public private(set) var durableBytes: UInt64 = 0
    public private(set) var isComplete = false
    /// Bytes that have arrived: the next ones belong here.
    public private(set) var receivedBytes: UInt64 = 0
    private let hash = SHA256()
    private let store: BlobStore
    private var file: (any DiskFile)?
    private var note: SpoolNote?
    private let path: String

    /// Bytes between two checkpoints: what a power failure may cost.
    public static let checkpointBytes: UInt64 = 8 << 20

    init(store: BlobStore, digest: Digest, byteCount: UInt64) throws {
        self.store = store
        self.digest = digest
        self.byteCount = byteCount
        path = store.partialPath(of: digest)
        if store.byteCount(of: digest) == byteCount {
            (durableBytes, receivedBytes, isComplete) = (byteCount, byteCount, true)
            return
        }
        file = try store.disk.open(path, .updating)
        note = try SpoolNote(beside: path, store.disk)
        // Also where both are there: the process that made them may have died before it made their names durable.
        try store.disk.synchronise(directory: SystemDisk.folder(of: path))
        try resume()
        if receivedBytes == byteCount { try finish() }
    }

    deinit { release() }

    /// Lets another spool of the blob begin.
    private func release() {
        guard file != nil else { return }
        (file, note) = (nil, nil)
        store.closed(digest)
    }

    private func resume() throws {
        guard let file else { return }
        let newest = try note?.newest
        let kept = min(byteCount, try file.byteCount, newest.map { $0.bootID == store.disk.bootID ? .max : $0.durableBytes } ?? 0)
        try file.truncate(to: kept)
        receivedBytes = try BlobStore.forEachBlock(of: file, upTo: kept) { bytes, _ in hash.update(bytes) }
        guard receivedBytes == kept else { throw BlobError(.failed, "a spool file became shorter while it was read") }
        try file.synchronise()
        try noteDurable()
    }

    /// Appends the bytes at `offset`, which must be where the last ones ended. Returns whether a checkpoint was made.
    @discardableResult
    public func append(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws -> Bool {
        guard !isComplete, let file, offset == receivedBytes, UInt64(bytes.count) <= byteCount - receivedBytes else {
            throw BlobError(.wrongOffset, "bytes at \(offset), but the blob of \(byteCount) bytes goes on at \(receivedBytes)")
        }
        try file.write(bytes, at: offset)
        hash.update(bytes)
        receivedBytes += UInt64(bytes.count)
        if receivedBytes == byteCount {
            try finish()
            return true
        }
        if receivedBytes - durableBytes >= store.checkpointBytes {
            try checkpoint()
            return true
        }
        return false
    }

    /// Makes what has arrived durable; called when a transfer is interrupted too.
    public func checkpoint() throws {
        guard !isComplete, receivedBytes > durableBytes, let file else { return }
        try file.synchronise()
        try noteDurable()
    }

    private func noteDurable() throws {
        try note?.write(receivedBytes, bootID: store.disk.bootID)
        durableBytes = receivedBytes
    }

    private func finish() throws {
        let found = hash.finish()
        guard found == digest else {
            // Nothing of it can be trusted; the next transfer begins anew.
            discard()
            throw BlobError(.damaged, "the blob that was offered as \(digest.short) has the hash \(found.short)")
        }
        try file?.synchronise()
        try store.publish(path, as: digest)
        store.disk.remove(SpoolNote.path(path))
        release()
        durableBytes = byteCount
        isComplete = true
    }

    private func discard() {
        store.disk.remove(path)
        store.disk.remove(SpoolNote.path(path))
        release()
    }
}
