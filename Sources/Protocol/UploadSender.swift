import Federation
import Wire

/// The sending side of an upload: offers a blob, and sends the bytes that the receiver lacks.
///
/// A state machine over messages: the shell reads the ranges that ``nextRange()`` returns, and sends them as chunks.
package struct UploadSender: Equatable, Sendable {
    package let digest: Digest
    package let byteCount: UInt64
    private let chunkBytes: UInt64
    private var state = State.offered

    private enum State: Equatable, Sendable {
        case offered
        case sending(next: UInt64)
        case complete
    }

    /// The meaning of a message from the receiver.
    package enum Step: Equatable, Sendable {
        /// The receiver has this many bytes; send the rest.
        case begin(at: UInt64)
        /// This many bytes are on the receiver's disk.
        case durable(UInt64)
        /// The whole blob is on the receiver's disk, under its digest.
        case complete
    }

    /// - Parameters:
    ///   - digest: The blob's digest.
    ///   - byteCount: The blob's size.
    ///   - chunkBytes: The chunk size that the peer asks for, which is bounded here.
    package init(_ digest: Digest, byteCount: UInt64, chunkBytes: Int) {
        self.digest = digest
        self.byteCount = byteCount
        self.chunkBytes = UInt64(min(WireLimits.chunkBytes, max(1, chunkBytes)))
    }

    /// The first message to send.
    package var offer: ClientMessage { .offerBlob(digest, byteCount: byteCount) }

    package var isComplete: Bool { state == .complete }

    /// Processes a message from the receiver.
    ///
    /// - Returns: What the message means.
    /// - Throws: The receiver's `Refusal`, or a `ProtocolError`.
    package mutating func handle(_ message: ServerMessage) throws -> Step {
        switch message {
        case .blobProgress(let durable, let complete):
            guard durable <= byteCount else { throw ProtocolError("the coordinator has more bytes than the blob") }
            if complete {
                state = .complete
                return .complete
            }
            guard state == .offered else { return .durable(durable) }
            state = .sending(next: durable)
            return .begin(at: durable)
        case .refusal(let refusal): throw refusal
        default: throw ProtocolError("the coordinator answered an upload with something else")
        }
    }

    /// Returns the byte range of the next chunk; `nil` if there is none to send now.
    package mutating func nextRange() -> Range<UInt64>? {
        guard case .sending(let next) = state, next < byteCount else { return nil }
        let end = next + min(chunkBytes, byteCount - next)
        state = .sending(next: end)
        return next..<end
    }
}
