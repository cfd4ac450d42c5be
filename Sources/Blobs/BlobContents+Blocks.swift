import Federation
import Identity

extension BlobContents {
    /// Reads block by block, from the start to the end; returns the number of bytes read.
    @discardableResult
    func forEachBlock(_ body: (UnsafeRawBufferPointer, UInt64) throws -> Void) throws -> UInt64 {
        let size = try byteCount
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(1 << 20, max(1, size))), alignment: 64)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while true {
            let count = try read(into: buffer, at: offset)
            if count == 0 { return offset }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]), offset)
            offset += UInt64(count)
        }
    }

    /// Reads everything; returns its SHA-256 and the number of bytes.
    func digest() throws -> (digest: Digest, byteCount: UInt64) {
        let hash = SHA256()
        let total = try forEachBlock { bytes, _ in hash.update(bytes) }
        return (hash.finish(), total)
    }
}
