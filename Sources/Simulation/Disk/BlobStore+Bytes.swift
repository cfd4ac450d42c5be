import Blobs
import Federation

extension BlobStore {
    /// Stores a small blob as a whole.
    @discardableResult
    func store(_ bytes: [UInt8]) throws -> (digest: Digest, byteCount: UInt64) {
        let path = temporaryPath()
        defer { discard(path) }
        let file = try create(path)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronise()
        return try adopt(path)
    }
}
