import Blobs
import Federation

extension BlobStore {
    /// Stores a small blob as a whole.
    @discardableResult
    func store(_ bytes: [UInt8]) throws -> (digest: Digest, byteCount: UInt64) {
        let writer = try BlobWriter(self)
        try bytes.withUnsafeBytes { try writer.append($0) }
        return try writer.publish()
    }
}
