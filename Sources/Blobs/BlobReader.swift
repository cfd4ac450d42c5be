import Federation
import Foundation

/// Reads a published blob from any byte on.
public final class BlobReader: Sendable {
    public let byteCount: UInt64
    private let descriptor: Int32

    public init(_ store: BlobStore, _ digest: Digest) throws {
        descriptor = open(store.path(of: digest), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw BlobError.system("cannot open blob \(digest.short)") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw BlobError.system("cannot look at blob \(digest.short)") }
        byteCount = UInt64(status.st_size)
    }

    deinit { close(descriptor) }

    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw BlobError.system("cannot read a blob") }
            if count == 0 { break }
            done += count
        }
        return done
    }
}
