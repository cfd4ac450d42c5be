import Federation
import KumiaiProto

/// A part of a blob.
public struct BlobChunk: Sendable {
    public let offset: UInt64
    public let payload: Payload

    /// Creates a chunk.
    ///
    /// - Parameters:
    ///   - offset: The offset of the first byte in the blob.
    ///   - payload: The bytes, from 1 to ``WireLimits/chunkBytes``.
    public init(offset: UInt64, payload: Payload) {
        self.offset = offset
        self.payload = payload
    }
}

extension BlobChunk {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__BlobChunk> {
        // Not copied: the arena keeps the data until the message is packed.
        arena.keep(payload)
        return arena.make(kumiai__v1__blob_chunk__init) {
            $0.offset = offset
            $0.data.len = payload.count
            $0.data.data = payload.start.assumingMemoryBound(to: UInt8.self)
        }
    }

    /// Moves the data out of the message, to avoid another copy.
    init(stealing pointer: UnsafeMutablePointer<Kumiai__V1__BlobChunk>) throws {
        guard pointer.pointee.data.len > 0, let data = pointer.pointee.data.data else {
            throw WireError("blob_chunk.data", "missing")
        }
        guard pointer.pointee.data.len <= WireLimits.chunkBytes else {
            throw WireError("blob_chunk.data", "longer than \(WireLimits.chunkBytes) bytes")
        }
        offset = pointer.pointee.offset
        payload = Payload(adopting: data, count: pointer.pointee.data.len)
        pointer.pointee.data.len = 0
        pointer.pointee.data.data = nil
    }
}
