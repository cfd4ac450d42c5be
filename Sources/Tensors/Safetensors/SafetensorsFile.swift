import Glibc

/// A safetensors file that is read block by block.
///
/// Read with `pread` into the caller's buffer rather than mapped: memory stays one block a file, and a file that
/// shrinks under us is an error and not a signal.
public final class SafetensorsFile: Sendable {
    public let header: SafetensorsHeader
    public let path: String
    private let descriptor: Int32

    /// Opens and checks the whole header; the data are not looked at.
    public init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SafetensorsError("cannot open \(path): \(String(cString: strerror(errno)))") }
        do {
            header = try Self.readHeader(descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    public var layout: TensorLayout { header.layout }

    private static func readHeader(_ descriptor: Int32) throws -> SafetensorsHeader {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw SafetensorsError("not a file") }
        let fileByteCount = Int(status.st_size)
        guard fileByteCount >= 8 else { throw SafetensorsError("shorter than 8 bytes") }
        var prefix = [UInt8](repeating: 0, count: 8)
        try prefix.withUnsafeMutableBytes { try Self.fill($0, from: descriptor, at: 0) }
        let length = try SafetensorsHeader.length(prefix, fileByteCount: fileByteCount)
        var json = [UInt8](repeating: 0, count: length)
        try json.withUnsafeMutableBytes { try Self.fill($0, from: descriptor, at: 8) }
        return try SafetensorsHeader(json: json, fileByteCount: fileByteCount)
    }

    /// Fills `buffer` with the data from byte `offset` of the data buffer on.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try Self.fill(buffer, from: descriptor, at: header.byteCount + offset)
    }

    /// All elements of a float32 file, in the order of the data.
    public func float32s() throws -> [Float] {
        guard layout.isAllFloat32 else { throw SafetensorsError("a tensor is not F32") }
        return try [Float](unsafeUninitializedCapacity: layout.elementCount) { buffer, count in
            try read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            count = layout.elementCount
        }
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: Int) throws {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw SafetensorsError("cannot read the file: \(count == 0 ? "it ends early" : String(cString: strerror(errno)))") }
            done += count
        }
    }
}
