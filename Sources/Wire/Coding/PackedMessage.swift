import CProtobufC

/// A message that is ready to be packed directly into the caller's buffer.
public final class PackedMessage {
    private let arena: Arena
    private let message: UnsafePointer<ProtobufCMessage>
    // Keeps alive the bytes that the message points to.
    private let payload: Payload?
    public let byteCount: Int

    init<Message>(_ arena: Arena, _ message: UnsafeMutablePointer<Message>, payload: Payload? = nil) {
        self.arena = arena
        self.payload = payload
        self.message = UnsafeRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
        byteCount = protobuf_c_message_get_packed_size(self.message)
    }

    /// Packs into the first `byteCount` bytes of `buffer`.
    public func pack(into buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count >= byteCount)
        guard byteCount > 0 else { return }
        protobuf_c_message_pack(message, buffer.baseAddress!.assumingMemoryBound(to: UInt8.self))
        withExtendedLifetime((arena, payload)) {}
    }

    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            pack(into: UnsafeMutableRawBufferPointer(buffer))
            count = byteCount
        }
    }
}

/// The content of one length-delimited frame.
public protocol WireFrame: Sendable {
    init(unpacking bytes: UnsafeRawBufferPointer) throws
    var packed: PackedMessage { get }
}

extension ClientFrame: WireFrame {}
extension ServerFrame: WireFrame {}
