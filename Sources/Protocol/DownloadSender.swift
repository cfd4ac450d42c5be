import Federation
import Wire

/// The sending side of a download: sends a blob from an offset on.
package struct DownloadSender: Equatable, Sendable {
    package let byteCount: UInt64
    private let chunkBytes: UInt64
    private var next: UInt64

    /// - Throws: A `Refusal` for the receiver if `start` is beyond the end of the blob.
    package init(byteCount: UInt64, from start: UInt64, chunkBytes: Int = WireLimits.chunkBytes) throws(Refusal) {
        guard start <= byteCount else {
            throw Refusal(.invalid, "the blob has \(byteCount) bytes; offset \(start) is beyond its end")
        }
        self.byteCount = byteCount
        self.chunkBytes = UInt64(max(1, chunkBytes))
        next = start
    }

    /// The first message to send.
    package var start: ServerMessage { .blobStart(byteCount: byteCount) }

    /// Returns the byte range of the next chunk; `nil` when all have been sent.
    package mutating func nextRange() -> Range<UInt64>? {
        guard next < byteCount else { return nil }
        let end = next + min(chunkBytes, byteCount - next)
        defer { next = end }
        return next..<end
    }
}
