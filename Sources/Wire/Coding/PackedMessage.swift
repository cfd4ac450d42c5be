import CProtobufC

/// A message that is ready to be packed directly into the caller's buffer.
public final class PackedMessage {
    private let arena: Arena
    private let message: UnsafePointer<ProtobufCMessage>
    public let byteCount: Int

    init<Message>(_ arena: Arena, _ message: UnsafeMutablePointer<Message>) {
        self.arena = arena
        self.message = UnsafeRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
        byteCount = protobuf_c_message_get_packed_size(self.message)
    }

    /// Packs into the first `byteCount` bytes of `buffer`.
    ///
    /// - Parameter buffer: Where the message goes; it has at least ``byteCount`` bytes.
    public func pack(into buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count >= byteCount)
        guard byteCount > 0 else { return }
        protobuf_c_message_pack(message, buffer.baseAddress!.assumingMemoryBound(to: UInt8.self))
        withExtendedLifetime(arena) {}
    }

    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            pack(into: UnsafeMutableRawBufferPointer(buffer))
            count = byteCount
        }
    }
}
