import Federation
import Wire

/// The receiving side of a download.
package struct DownloadReceiver: Equatable, Sendable {
    package let digest: Digest
    package let byteCount: UInt64
    /// The number of bytes that have arrived, which is the offset of the next chunk.
    package private(set) var received: UInt64
    private var hasBegun = false

    /// - Parameters:
    ///   - digest: The blob's digest.
    ///   - byteCount: The blob's size.
    ///   - received: The number of bytes that are already here.
    package init(_ digest: Digest, byteCount: UInt64, received: UInt64) {
        self.digest = digest
        self.byteCount = byteCount
        self.received = received
    }

    /// The first message to send.
    package var request: ClientMessage { .fetchBlob(digest, offset: received) }
    package var hasAll: Bool { received == byteCount }

    /// Processes a message from the sender.
    ///
    /// - Returns: The chunk in the message, if there is one.
    /// - Throws: The sender's `Refusal`, or a `ProtocolError`.
    package mutating func handle(_ message: ServerMessage) throws -> BlobChunk? {
        switch message {
        case .blobStart(let count):
            guard !hasBegun else { throw ProtocolError("the coordinator started the same blob twice") }
            hasBegun = true
            guard count == byteCount else {
                throw ProtocolError("the model has \(count) bytes; expected \(byteCount) as announced")
            }
            return nil
        case .blobChunk(let chunk):
            guard hasBegun else { throw ProtocolError("the coordinator sent a chunk before the start of the blob") }
            guard chunk.offset == received, chunk.payload.count > 0, UInt64(chunk.payload.count) <= byteCount - received
            else {
                throw ProtocolError(
                    "the model's chunks are not in order: got bytes at offset \(chunk.offset); expected \(received)"
                )
            }
            received += UInt64(chunk.payload.count)
            return chunk
        case .refusal(let refusal): throw refusal
        default: throw ProtocolError("the coordinator answered a fetch with something else")
        }
    }
}
