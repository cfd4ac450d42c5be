/// A safetensors file that is read block by block.
///
/// Read with `pread` into the caller's buffer rather than mapped: memory stays one block a file, and a file that
/// shrinks under us is an error and not a signal.
public final class SafetensorsFile: Sendable {
    public let header: SafetensorsHeader
    /// What errors call the file: its path, or what it is needed for; empty where nothing was said.
    public let name: String
    private let source: any ByteSource

    /// Opens and checks the whole header; the data are not looked at.
    ///
    /// The path is that of a safetensors file, of the index of a model in several files, or of a directory with one of
    /// them.
    /// - Parameter name: what errors call the file; its path where nothing is said.
    public convenience init(path: String, called name: String? = nil) throws {
        let place = try ModelPlace(path, called: name ?? path)
        try self.init(place.open(), called: place.name)
    }

    public init(_ source: any ByteSource, called name: String = "") throws {
        do { header = try Self.readHeader(source) } catch let error as SafetensorsError {
            if !name.isEmpty, let foreign = ForeignFormat(of: source) { throw foreign.error(name) }
            throw error.of(name)
        }
        self.name = name
        self.source = source
    }

    public var layout: TensorLayout { header.layout }
    /// Of the whole file.
    public var byteCount: Int { source.byteCount }

    private static func readHeader(_ source: any ByteSource) throws -> SafetensorsHeader {
        let fileByteCount = source.byteCount
        guard fileByteCount > 0 else { throw SafetensorsError("it is empty") }
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
        guard tensor.type == .f32 else { throw SafetensorsError("\(tensor.name) is not F32", file: name) }
        return try float32s(at: tensor.range.lowerBound, count: tensor.elementCount)
    }

    /// All elements of a float32 file, in the order of the data.
    public func float32s() throws -> [Float] {
        guard layout.isAllFloat32 else { throw SafetensorsError("a tensor is not F32", file: name) }
        return try float32s(at: 0, count: layout.elementCount)
    }

    /// `count` elements of float32 tensors from byte `offset` of the data on.
    public func float32s(at offset: Int, count: Int) throws -> [Float] {
        try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            try read(
                into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<(4 * count)]),
                at: offset
            )
            initialized = count
        }
    }

    /// Bytes that are held at a time by what reads a file to its end.
    static let blockBytes = 1 << 20

    /// Calls `body` with all bytes of the file, block after block; of a model in several files, those of the one file
    /// that they would be.
    public func forEachBlock(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.blockBytes, alignment: 16)
        defer { block.deallocate() }
        for start in stride(from: 0, to: source.byteCount, by: block.count) {
            let part = UnsafeMutableRawBufferPointer(rebasing: block[..<min(block.count, source.byteCount - start)])
            try source.fill(part, at: start)
            try body(UnsafeRawBufferPointer(part))
        }
    }

    /// Writes all of it as one file; durable when this returns.
    public func copy(to path: String) throws {
        let sink = try FileSink(path: path)
        try forEachBlock { try sink.append($0) }
        try sink.synchronise()
    }
}
