import Blobs
import Federation
import Tensors

/// Tensors in blobs: the store's files as safetensors see them.
extension SafetensorsFile {
    public convenience init(_ blobs: BlobStore, _ digest: Digest) throws { try self.init(BlobSource(blobs.open(digest))) }
}

private struct BlobSource: ByteSource {
    let file: any DiskFile
    let byteCount: Int

    init(_ file: any DiskFile) throws {
        self.file = file
        byteCount = Int(try file.byteCount)
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard try file.read(into: buffer, at: UInt64(offset)) == buffer.count else { throw SafetensorsError("the file ends early") }
    }
}

/// A new file of the store, written from its beginning to its end.
final class BlobSink: ByteSink {
    private let file: any DiskFile
    private var offset: UInt64 = 0

    init(_ file: any DiskFile) { self.file = file }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        try file.write(bytes, at: offset)
        offset += UInt64(bytes.count)
    }

    func synchronise() throws { try file.synchronise() }
}
