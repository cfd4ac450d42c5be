import Federation
import Synchronization

/// A blob in progress in a file of ``FileBlobs``.
///
/// What a killed process had written is still in the page cache; only a reboot can lose data that was not synchronised.
/// After a reboot, therefore, only the number of bytes in `<name>.durable` counts, which is written after those bytes are
/// durable. A small upload has such a file only after an interruption: to send it again costs less than a file for each
/// upload.
final class FileDraft: BlobDraft {
    private let blobs: FileBlobs
    private let path: String
    private let file: any DiskFile
    private let state: Mutex<State>

    private struct State {
        /// Created with the first checkpoint.
        var record: DurabilityRecord?
        /// Whether the names of both files are durable.
        var isNamed = false
        var isPublished = false
        /// The number of bytes that the last successful synchronisation covered.
        var durable: UInt64 = 0
        var failure: BlobError?
    }

    /// Creates an empty file.
    init(_ blobs: FileBlobs, _ path: String) throws {
        self.blobs = blobs
        self.path = path
        file = try blobs.disk.open(path, .replacing)
        state = Mutex(State())
    }

    /// Opens the file of an upload and shortens it to the bytes that can be relied on.
    init(_ blobs: FileBlobs, resuming path: String, byteCount: UInt64) throws {
        self.blobs = blobs
        self.path = path
        let disk = blobs.disk, recordPath = DurabilityRecord.path(path)
        // After a power failure in the middle of a rename, some file systems have both names for a file that was published:
        // what is written here must not change it.
        var opened = try disk.open(path, .updating)
        if try opened.hasOtherNames {
            try blobs.separate(path)
            opened = try disk.open(path, .updating)
        }
        file = opened
        guard disk.byteCount(recordPath) != nil else {
            // Nothing says how much of what may be there is whole.
            if try file.byteCount > 0 { try file.truncate(to: 0) }
            var record: DurabilityRecord?
            if byteCount > blobs.smallBytes {
                record = try DurabilityRecord(beside: path, disk)
                // Not synchronised: it serves the next process of this start of the machine.
                try record?.write(0, bootID: disk.bootID, isDurable: false)
            }
            state = Mutex(State(record: record))
            return
        }
        let record = try DurabilityRecord(beside: path, disk)
        let durable = try record.newest.map { $0.bootID == disk.bootID ? .max : $0.durableBytes } ?? 0
        let kept = min(byteCount, try file.byteCount, durable)
        try file.truncate(to: kept)
        state = Mutex(State(record: record))
        // What follows must not be mistaken for bytes that this record already counts.
        try checkpoint(kept)
    }

    var byteCount: UInt64 { get throws { try file.byteCount } }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try file.read(into: buffer, at: offset)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
        // Together, so that nothing is written behind the place where a failure shortens the file.
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            try file.write(bytes, at: offset)
        }
    }

    func beginWriting(_ range: Range<UInt64>) { file.beginWriting(range) }

    func checkpoint(_ count: UInt64) throws {
        try synchronise()
        // Not under the lock: another thread writes meanwhile.
        let (found, isNamed) = state.withLock { ($0.record, $0.isNamed) }
        let record = try found ?? DurabilityRecord(beside: path, blobs.disk)
        try record.write(count, bootID: blobs.disk.bootID)
        if !isNamed { try blobs.disk.synchronise(directory: SystemDisk.folder(of: path)) }
        state.withLock { ($0.record, $0.isNamed, $0.durable) = (record, true, count) }
    }

    /// Linux reports once that written bytes could not be stored, and says afterwards that all is well. After a failure,
    /// therefore, the file keeps only what was durable before, and this draft is of no more use.
    private func synchronise() throws {
        if let failure = state.withLock({ $0.failure }) { throw failure }
        do { try file.synchronise() } catch {
            let isShortened = state.withLock { state in
                state.failure = error as? BlobError ?? BlobError(.failed, "\(error)")
                return (try? file.truncate(to: state.durable)) != nil
            }
            if !isShortened { discard() }
            throw error
        }
    }

    func publish(as digest: Digest) throws {
        try synchronise()
        try blobs.publish(path, as: digest)
        let hasRecord = state.withLock { state in
            state.isPublished = true
            return state.record != nil
        }
        if hasRecord { blobs.disk.remove(DurabilityRecord.path(path)) }
    }

    func discard() {
        guard !state.withLock({ $0.isPublished }) else { return }
        blobs.disk.remove(path)
        blobs.disk.remove(DurabilityRecord.path(path))
    }
}
