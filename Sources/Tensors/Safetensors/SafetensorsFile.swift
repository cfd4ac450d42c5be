/// A safetensors file that is read block by block.
///
/// Read with `pread` into the caller's buffer rather than mapped: memory stays one block a file, and a file that
/// shrinks under us is an error and not a signal.
public final class SafetensorsFile: Sendable {
    public let header: SafetensorsHeader
    private let source: any ByteSource

    /// Opens and checks the whole header; the data are not looked at.
    public convenience init(path: String) throws { try self.init(FileSource(path: path)) }

    public init(_ source: any ByteSource) throws {
        header = try Self.readHeader(source)
        self.source = source
    }

    public var layout: TensorLayout { header.layout }

    private static func readHeader(_ source: any ByteSource) throws -> SafetensorsHeader {
        let fileByteCount = source.byteCount
        guard fileByteCount >= 8 else { throw SafetensorsError("shorter than 8 bytes") }
        var prefix = [UInt8](repeating: 0, count: 8)
        try prefix.withUnsafeMutableBytes { try source.fill($0, at: 0) }
        let length = try SafetensorsHeader.length(prefix, fileByteCount: fileByteCount)
        var json = [UInt8](repeating: 0, count: length)
        try json.withUnsafeMutableBytes { try source.fill($0, at: 8) }
        return try SafetensorsHeader(json: json, fileByteCount: fileByteCount)
    }

    /// Fills `buffer` with the data from byte `offset` of the data buffer on.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try source.fill(buffer, at: header.byteCount + offset)
    }

    /// The elements of one float32 tensor, row-major.
    public func values(of tensor: TensorDescription) throws -> [Float] {
        guard tensor.type == .f32 else { throw SafetensorsError("\(tensor.name) is not F32") }
        return try float32s(at: tensor.range.lowerBound, count: tensor.elementCount)
    }

    /// All elements of a float32 file, in the order of the data.
    public func float32s() throws -> [Float] {
        guard layout.isAllFloat32 else { throw SafetensorsError("a tensor is not F32") }
        return try float32s(at: 0, count: layout.elementCount)
    }

    /// `count` elements of float32 tensors from byte `offset` of the data on.
    public func float32s(at offset: Int, count: Int) throws -> [Float] {
        try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            try read(into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<(4 * count)]), at: offset)
            initialized = count
        }
    }
}
