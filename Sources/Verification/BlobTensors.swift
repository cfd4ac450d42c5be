import Blobs
import Federation
import Tensors

/// Opens blobs as safetensors files.
extension SafetensorsFile {
    /// Opens a blob of a store.
    ///
    /// - Parameters:
    ///   - blobs: The store.
    ///   - digest: The blob's name.
    ///   - name: What error messages call the file.
    /// - Throws: `SafetensorsError` if it is not a safetensors file, `BlobError` if it is missing.
    public convenience init(_ blobs: BlobStore, _ digest: Digest, called name: String = "") throws {
        try self.init(BlobSource(blobs.open(digest)), called: name)
    }
}

private struct BlobSource: ByteSource {
    let file: any DiskFile
    let byteCount: Int

    init(_ file: any DiskFile) throws {
        self.file = file
        byteCount = Int(try file.byteCount)
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard try file.read(into: buffer, at: UInt64(offset)) == buffer.count else {
            throw SafetensorsError("the file ends early")
        }
    }
}

/// Lets a safetensors file be written directly as a blob.
extension BlobWriter: ByteSink {}
