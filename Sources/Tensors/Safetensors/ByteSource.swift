import Glibc

/// Bytes with random access: a file, or a substitute for one.
public protocol ByteSource: Sendable {
    var byteCount: Int { get }
    /// Fills the whole buffer from `offset` on.
    ///
    /// - Parameters:
    ///   - buffer: Where the bytes go; its size is the number of bytes to read.
    ///   - offset: The offset of the first byte.
    /// - Throws: If the bytes cannot be read, or there are too few.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws
}

/// A regular file, read with `pread`.
final class FileSource: ByteSource {
    let byteCount: Int
    private let descriptor: Int32
    private let name: String

    init(path: String, called name: String) throws {
        descriptor = try RegularFile.open(path, called: name)
        self.name = name
        var status = stat()
        fstat(descriptor, &status)
        byteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard try RegularFile.fill(buffer, from: descriptor, at: offset, called: name) == buffer.count else {
            throw SafetensorsError("it ends early", file: name)
        }
    }
}
