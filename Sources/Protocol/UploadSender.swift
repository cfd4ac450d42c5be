import Federation
import Wire

/// The half of an upload that has the bytes: it offers a blob, and sends what the other side lacks.
///
/// A state machine over messages: the shell reads the ranges that ``nextRange()`` names, and sends them as chunks.
public struct UploadSender: Equatable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    private let chunkBytes: UInt64
    private var state = State.offered

    private enum State: Equatable, Sendable {
        case offered
        case sending(next: UInt64)
        case complete
    }

    /// What the other side's word means.
    public enum Step: Equatable, Sendable {
        /// It has this many bytes: the rest is sent.
        case begin(at: UInt64)
        /// So many bytes are on its disk.
        case durable(UInt64)
        /// All of it is on its disk, under its digest.
        case complete
    }

    /// - Parameter chunkBytes: bytes of a chunk, at most; what a peer says of it is bounded here.
    public init(_ digest: Digest, byteCount: UInt64, chunkBytes: Int) {
        self.digest = digest
        self.byteCount = byteCount
        self.chunkBytes = UInt64(min(WireLimits.chunkBytes, max(1, chunkBytes)))
    }

    /// The first message.
    public var offer: ClientMessage { .offerBlob(digest, byteCount: byteCount) }

    public var isComplete: Bool { state == .complete }

    /// Takes what the other side says.
    /// - Throws: its refusal, or a `ProtocolError`.
    public mutating func hear(_ message: ServerMessage) throws -> Step {
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

    /// The bytes of the next chunk; `nil`: there is none to send now.
    public mutating func nextRange() -> Range<UInt64>? {
        guard case .sending(let next) = state, next < byteCount else { return nil }
        let end = next + min(chunkBytes, byteCount - next)
        state = .sending(next: end)
        return next..<end
    }
}
