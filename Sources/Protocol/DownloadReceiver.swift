import Federation
import Wire

/// The half of a download that takes the bytes.
public struct DownloadReceiver: Equatable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    /// Bytes that have arrived: the next chunk belongs here.
    public private(set) var received: UInt64
    private var hasBegun = false

    /// - Parameter received: bytes that are here already.
    public init(_ digest: Digest, byteCount: UInt64, received: UInt64) {
        self.digest = digest
        self.byteCount = byteCount
        self.received = received
    }

    /// The first message.
    public var request: ClientMessage { .fetchBlob(digest, offset: received) }
    public var hasAll: Bool { received == byteCount }

    /// Takes what the other side says; returns the chunk that it carries, if it carries one.
    /// - Throws: its refusal, or a `ProtocolError`.
    public mutating func hear(_ message: ServerMessage) throws -> BlobChunk? {
        switch message {
        case .blobStart(let count):
            guard !hasBegun else { throw ProtocolError("the coordinator began the same blob twice") }
            hasBegun = true
            guard count == byteCount else {
                throw ProtocolError("the model has \(count) bytes, \(byteCount) were announced")
            }
            return nil
        case .blobChunk(let chunk):
            guard hasBegun else { throw ProtocolError("the coordinator sent a chunk before the blob began") }
            guard chunk.offset == received, chunk.payload.count > 0, UInt64(chunk.payload.count) <= byteCount - received
            else {
                throw ProtocolError(
                    "the model's chunks are not in order: bytes at \(chunk.offset), expected \(received)"
                )
            }
            received += UInt64(chunk.payload.count)
            return chunk
        case .refusal(let refusal): throw refusal
        default: throw ProtocolError("the coordinator answered a fetch with something else")
        }
    }
}
