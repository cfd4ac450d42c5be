/// The content of one length-delimited frame.
public protocol WireFrame: Sendable {
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
