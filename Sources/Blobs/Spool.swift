import Federation
import Foundation
import Identity

/// A blob on its way in: bytes go to the disk and through the hash as they arrive.
///
/// What is durable is what an interrupted transfer goes on from: the file up to the number in `<name>.durable`, which
/// is written after the bytes that it counts.
public final class Spool: @unchecked Sendable {
    // Unchecked: one connection writes to a spool, one chunk after the other.
    public let digest: Digest
    public let byteCount: UInt64
    /// Bytes that would survive a power failure.
    public private(set) var durableBytes: UInt64 = 0
    public private(set) var isComplete = false
    private var written: UInt64 = 0
    private let hash = SHA256()
    private let store: BlobStore
    private var descriptor: Int32 = -1
    private let path: String

    /// Bytes between two checkpoints: what a crash may cost.
    public static let checkpointBytes: UInt64 = 8 << 20

    init(store: BlobStore, digest: Digest, byteCount: UInt64) throws {
        self.store = store
        self.digest = digest
        self.byteCount = byteCount
        path = store.partialPath(of: digest)
        if store.byteCount(of: digest) == byteCount {
            (durableBytes, written, isComplete) = (byteCount, byteCount, true)
            return
        }
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw BlobError.system("cannot open a spool file") }
        try resume()
        if written == byteCount { try finish() }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Goes on after the durable bytes of a former transfer; what was written behind them is not trusted.
    private func resume() throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw BlobError.system("cannot look at a spool file") }
        let noted = (try? String(contentsOfFile: path + ".durable", encoding: .utf8)).flatMap { UInt64($0) } ?? 0
        let kept = min(noted, UInt64(max(0, status.st_size)), byteCount)
        guard ftruncate(descriptor, off_t(kept)) == 0 else { throw BlobError.system("cannot cut a spool file") }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        while written < kept {
            let count = read(descriptor, buffer.baseAddress, min(buffer.count, Int(kept - written)))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw BlobError.system("cannot read a spool file") }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            written += UInt64(count)
        }
        durableBytes = written
    }

    /// Appends the bytes at `offset`, which must be where the last ones ended. Gives back whether a checkpoint was made.
    @discardableResult
    public func append(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws -> Bool {
        guard !isComplete, offset == written, UInt64(bytes.count) <= byteCount - written else {
            throw BlobError(.wrongOffset, "bytes at \(offset), but the blob of \(byteCount) bytes goes on at \(written)")
        }
        var rest = bytes
        while !rest.isEmpty {
            let count = write(descriptor, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw BlobError.system("cannot write a spool file") }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
        hash.update(bytes)
        written += UInt64(bytes.count)
        if written == byteCount {
            try finish()
            return true
        }
        if written - durableBytes >= Self.checkpointBytes {
            try checkpoint()
            return true
        }
        return false
    }

    /// Makes what has arrived durable; called when a transfer is interrupted too.
    public func checkpoint() throws {
        guard !isComplete, written > durableBytes else { return }
        guard fdatasync(descriptor) == 0 else { throw BlobError.system("cannot make a spool file durable") }
        try noteDurable(written)
        durableBytes = written
    }

    private func noteDurable(_ count: UInt64) throws {
        let note = path + ".durable"
        let file = open(note + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw BlobError.system("cannot note a spool's progress") }
        defer { close(file) }
        let text = Array(String(count).utf8)
        guard write(file, text, text.count) == text.count, fdatasync(file) == 0, rename(note + ".new", note) == 0 else {
            throw BlobError.system("cannot note a spool's progress")
        }
    }

    private func finish() throws {
        let found = hash.finish()
        guard found == digest else {
            // Nothing of it can be trusted; the next transfer begins anew.
            discard()
            throw BlobError(.damaged, "the blob that was offered as \(digest.short) has the hash \(found.short)")
        }
        guard fsync(descriptor) == 0 else { throw BlobError.system("cannot make a blob durable") }
        try store.publish(path, as: digest)
        unlink(path + ".durable")
        durableBytes = byteCount
        isComplete = true
    }

    private func discard() {
        unlink(path)
        unlink(path + ".durable")
    }
}
