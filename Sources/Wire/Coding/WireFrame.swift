/// The content of one length-delimited frame.
public protocol WireFrame: Sendable {
    /// Unpacks and checks a message.
    ///
    /// - Parameter bytes: The packed message, without the length of its frame; it is not needed after the call.
    /// - Throws: `WireError` if the bytes are not a valid message.
    init(unpacking bytes: UnsafeRawBufferPointer) throws
    var packed: PackedMessage { get }
}

extension ClientFrame: WireFrame {}
extension ServerFrame: WireFrame {}

extension WireFrame {
    /// Packs a message that the generated function `initialise` creates and `fill` completes.
    func pack<Message>(
        _ initialise: (UnsafeMutablePointer<Message>?) -> Void,
        _ fill: (inout Message, Arena) -> Void
    ) -> PackedMessage {
        let arena = Arena()
        return PackedMessage(arena, arena.make(initialise) { message in fill(&message, arena) })
    }
}
