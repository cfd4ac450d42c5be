import Federation
import Wire

/// The half of an upload that takes the bytes: chunks in order, some of them in hand at a time, and a word about what is on the disk.
public struct UploadReceiver: Equatable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    /// Bytes that have arrived: the next chunk belongs here.
    public private(set) var received: UInt64
    public private(set) var isComplete: Bool
    private var chunksInHand = 0

    /// Chunks that may wait for the disk; a sender that is faster than it is held back.
    public static let chunksInHand = 8

    /// - Parameters:
    ///   - received: bytes that were there when the blob was offered.
    ///   - isComplete: all of it was there.
    public init(_ digest: Digest, byteCount: UInt64, received: UInt64, isComplete: Bool) {
        self.digest = digest
        self.byteCount = byteCount
        self.received = received
        self.isComplete = isComplete
    }

    /// Whether another chunk may be read from the link.
    public var hasRoom: Bool { chunksInHand < Self.chunksInHand }
    public var isIdle: Bool { chunksInHand == 0 }
    /// Whether all bytes have arrived, though perhaps not all of them are on the disk.
    public var hasAll: Bool { received == byteCount }

    /// The chunk of a message, which goes to the disk next.
    /// - Throws: a refusal that the sender is told.
    public mutating func take(_ message: ClientMessage) throws(Refusal) -> BlobChunk {
        guard case .blobChunk(let chunk) = message else { throw Refusal(.invalid, "\(message.name) came in the middle of a blob") }
        guard !isComplete, chunk.offset == received, UInt64(chunk.payload.count) <= byteCount - received else {
            throw Refusal(.invalid, "bytes at \(chunk.offset), but the blob of \(byteCount) bytes goes on at \(received)", hint: "offer the blob again")
        }
        received += UInt64(chunk.payload.count)
        chunksInHand += 1
        return chunk
    }

    /// A chunk is written. Returns what the sender hears of it, if anything: not of every chunk is news.
    public mutating func stored(durable: UInt64, isComplete: Bool, isNews: Bool) -> ServerMessage? {
        chunksInHand -= 1
        self.isComplete = isComplete
        return isNews ? progress(durable: durable) : nil
    }

    public func progress(durable: UInt64) -> ServerMessage { .blobProgress(durable: durable, complete: isComplete) }
}
