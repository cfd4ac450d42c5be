import CProtobufC
import Federation
import Glibc

/// The memory of one message while it is packed: protobuf-c structures point to each other and are freed together.
final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []
    private var payloads: [Payload] = []

    deinit { for block in blocks { free(block) } }

    /// Keeps bytes alive to which a message points.
    func keep(_ payload: Payload) { payloads.append(payload) }

    private func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let block = malloc(max(1, byteCount))!
        blocks.append(block)
        return block
    }

    /// Creates a message and sets its fields, first with the generated `init` function and then with `body`.
    func make<Message>(
        _ initialise: (UnsafeMutablePointer<Message>?) -> Void,
        _ body: (inout Message) -> Void
    ) -> UnsafeMutablePointer<Message> {
        let message = allocate(MemoryLayout<Message>.size).bindMemory(to: Message.self, capacity: 1)
        initialise(message)
        body(&message.pointee)
        return message
    }

    func string(_ text: String) -> UnsafeMutablePointer<CChar> {
        let bytes = Array(text.utf8)
        let copy = allocate(bytes.count + 1).bindMemory(to: CChar.self, capacity: bytes.count + 1)
        for (index, byte) in bytes.enumerated() { copy[index] = CChar(bitPattern: byte) }
        copy[bytes.count] = 0
        return copy
    }

    func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        guard !bytes.isEmpty else { return ProtobufCBinaryData(len: 0, data: nil) }
        let copy = allocate(bytes.count).bindMemory(to: UInt8.self, capacity: bytes.count)
        copy.update(from: bytes, count: bytes.count)
        return ProtobufCBinaryData(len: bytes.count, data: copy)
    }

    func bytes(_ digest: Digest?) -> ProtobufCBinaryData { bytes(digest?.bytes ?? []) }

    func array<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element>? {
        guard !elements.isEmpty else { return nil }
        let copy = allocate(elements.count * MemoryLayout<Element>.stride).bindMemory(
            to: Element.self,
            capacity: elements.count
        )
        copy.initialize(from: elements, count: elements.count)
        return copy
    }

    func strings(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
        array(texts.map { Optional(string($0)) })
    }
}
