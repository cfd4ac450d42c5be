import CProtobufC
import Glibc

/// Unpacks untrusted bytes with protobuf-c within a memory budget.
enum Unpacker {
    private final class Budget {
        var remaining: Int
        init(_ bytes: Int) { remaining = bytes }
    }

    /// Calls `body` with the message, which is freed when `body` returns.
    static func unpack<Message, Result>(
        _ bytes: UnsafeRawBufferPointer,
        as name: String,
        _ unpack: (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?) -> UnsafeMutablePointer<
            Message
        >?,
        _ body: (UnsafeMutablePointer<Message>) throws -> Result
    ) throws -> Result {
        let budget = Budget(WireLimits.unpackBudget(frameBytes: bytes.count))
        return try withExtendedLifetime(budget) {
            var allocator = ProtobufCAllocator(
                alloc: { data, size in
                    let budget = Unmanaged<Budget>.fromOpaque(data!).takeUnretainedValue()
                    guard size <= budget.remaining else { return nil }
                    budget.remaining -= size
                    return malloc(max(1, size))
                },
                free: { _, pointer in Glibc.free(pointer) },
                allocator_data: Unmanaged.passUnretained(budget).toOpaque()
            )
            return try withUnsafeMutablePointer(to: &allocator) { allocator in
                guard
                    let message = unpack(allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
                else { throw WireError(name, "not a well-formed message, or one that needs too much memory") }
                defer {
                    protobuf_c_message_free_unpacked(
                        UnsafeMutableRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self),
                        allocator
                    )
                }
                return try body(message)
            }
        }
    }
}
