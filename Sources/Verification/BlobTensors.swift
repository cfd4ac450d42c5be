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

    /// Opens what was written of a blob that is not published yet.
    ///
    /// - Parameters:
    ///   - writer: The blob's writer, which has written all of the file.
    ///   - name: What error messages call the file.
    /// - Throws: `SafetensorsError` if it is not a safetensors file, `BlobError` if it cannot be read.
    public convenience init(_ writer: BlobWriter, called name: String = "") throws {
        try self.init(BlobSource(writer.contents), called: name)
    }
}

private struct BlobSource: ByteSource {
    let blob: any BlobContents
    let byteCount: Int

    init(_ blob: any BlobContents) throws {
        self.blob = blob
        byteCount = Int(try blob.byteCount)
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard try blob.read(into: buffer, at: UInt64(offset)) == buffer.count else {
            throw SafetensorsError("the file ends early")
        }
    }
}

/// Lets a safetensors file be written directly as a blob.
extension BlobWriter: ByteSink {
    /// Does nothing: the blob becomes durable when it is published.
    public func finish() {}
}
