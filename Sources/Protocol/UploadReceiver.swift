import Federation
import Wire

/// The half of an upload that takes the bytes: chunks in order, and a word about what is on the disk.
public struct UploadReceiver: Equatable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    /// Bytes that have arrived: the next chunk belongs here.
    public private(set) var received: UInt64
    /// All of it was there when it was offered.
    public let wasComplete: Bool

    /// Chunks that may wait for the disk; a sender that is faster than it is held back.
    public static let chunksInHand = 8

    /// - Parameters:
    ///   - received: bytes that were there when the blob was offered.
    ///   - isComplete: all of it was there.
    public init(_ digest: Digest, byteCount: UInt64, received: UInt64, isComplete: Bool) {
        self.digest = digest
        self.byteCount = byteCount
        self.received = received
        wasComplete = isComplete
    }

    /// Whether all bytes have arrived, though perhaps not all of them are on the disk.
    public var hasAll: Bool { received == byteCount }

    /// The chunk of a message, which goes to the disk next.
    /// - Throws: a refusal that the sender is told.
    public mutating func take(_ message: ClientMessage) throws(Refusal) -> BlobChunk {
        guard case .blobChunk(let chunk) = message else {
            throw Refusal(.invalid, "\(message.name) came in the middle of a blob")
        }
        guard !wasComplete, chunk.offset == received, UInt64(chunk.payload.count) <= byteCount - received else {
            throw Refusal(
                .invalid,
                "bytes at \(chunk.offset), but the blob of \(byteCount) bytes goes on at \(received)",
                hint: "offer the blob again"
            )
        }
        received += UInt64(chunk.payload.count)
        return chunk
    }

    /// What the sender hears of bytes that are on the disk.
    public func progress(durable: UInt64, isComplete: Bool) -> ServerMessage {
        .blobProgress(durable: durable, complete: isComplete)
    }
}
