import Glibc

/// Bytes that can be read from any place: a file, or what stands for one.
public protocol ByteSource: Sendable {
    var byteCount: Int { get }
    /// Fills the whole buffer from `offset` on, or throws.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws
}

/// A regular file, read with `pread`.
final class FileSource: ByteSource {
    let byteCount: Int
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SafetensorsError("cannot open \(path): \(String(cString: strerror(errno)))") }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw SafetensorsError("\(path) is not a file")
        }
        byteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw SafetensorsError("cannot read the file: \(count == 0 ? "it ends early" : String(cString: strerror(errno)))") }
            done += count
        }
    }
}
