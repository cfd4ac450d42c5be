import Federation
import Wire

/// The half of a download that has the bytes: it sends a blob from a byte on.
public struct DownloadSender: Equatable, Sendable {
    public let byteCount: UInt64
    private let chunkBytes: UInt64
    private var next: UInt64

    /// - Throws: a refusal that the fetcher is told.
    public init(byteCount: UInt64, from start: UInt64, chunkBytes: Int = WireLimits.chunkBytes) throws(Refusal) {
        guard start <= byteCount else {
            throw Refusal(.invalid, "the blob has \(byteCount) bytes, \(start) is behind its end")
        }
        self.byteCount = byteCount
        self.chunkBytes = UInt64(max(1, chunkBytes))
        next = start
    }

    /// The first message.
    public var start: ServerMessage { .blobStart(byteCount: byteCount) }

    /// The bytes of the next chunk; `nil`: all are sent.
    public mutating func nextRange() -> Range<UInt64>? {
        guard next < byteCount else { return nil }
        let end = next + min(chunkBytes, byteCount - next)
        defer { next = end }
        return next..<end
    }
}
