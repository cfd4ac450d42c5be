import Federation
import Wire

/// The receiving side of an upload: takes chunks in order, and acknowledges what is on the disk.
package struct UploadReceiver: Equatable, Sendable {
    package let digest: Digest
    package let byteCount: UInt64
    /// The number of bytes that have arrived, which is the offset of the next chunk.
    package private(set) var received: UInt64
    /// Whether the whole blob was already here when it was offered.
    package let wasComplete: Bool

    /// The number of chunks that may wait for the disk; beyond it, the sender is held back (backpressure).
    package static let maximumChunksInFlight = 8

    /// - Parameters:
    ///   - digest: The blob's digest.
    ///   - byteCount: The blob's size.
    ///   - received: The number of bytes that were here when the blob was offered.
    ///   - isComplete: Whether the whole blob was here.
    package init(_ digest: Digest, byteCount: UInt64, received: UInt64, isComplete: Bool) {
        self.digest = digest
        self.byteCount = byteCount
        self.received = received
        wasComplete = isComplete
    }

    /// Whether all bytes have arrived, although not all of them may be on the disk yet.
    package var hasAll: Bool { received == byteCount }

    /// Returns the chunk in a message, to be written to the disk next.
    ///
    /// - Throws: A `Refusal` for the sender if the message is not the expected chunk.
    package mutating func take(_ message: ClientMessage) throws(Refusal) -> BlobChunk {
        guard case .blobChunk(let chunk) = message else {
            throw Refusal(.invalid, "got \(message.name) in the middle of a blob; expected a chunk")
        }
        guard !wasComplete, chunk.offset == received, UInt64(chunk.payload.count) <= byteCount - received else {
            throw Refusal(
                .invalid,
                "got bytes at offset \(chunk.offset) of a blob of \(byteCount) bytes; expected offset \(received)",
                hint: "offer the blob again"
            )
        }
        received += UInt64(chunk.payload.count)
        return chunk
    }

    /// The acknowledgement of bytes that are on the disk.
    package func progress(durable: UInt64, isComplete: Bool) -> ServerMessage {
        .blobProgress(durable: durable, complete: isComplete)
    }
}
