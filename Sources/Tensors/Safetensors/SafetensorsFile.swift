/// A safetensors file that is read block by block.
///
/// It is read with `pread` into the caller's buffer instead of being mapped. Memory stays at one block per file, and a
/// file that shrinks meanwhile causes an error instead of a signal.
public final class SafetensorsFile: Sendable {
    public let header: SafetensorsHeader
    /// The name of the file in errors: its path or its purpose; empty if none was given.
    public let name: String
    private let source: any ByteSource

    /// Opens a file and checks its whole header; the data is not examined.
    ///
    /// - Parameters:
    ///   - path: The path of a safetensors file, of the index of a model in several files, or of a directory with one
    ///     of them.
    ///   - name: The name of the file in errors; by default its path.
    /// - Throws: `InputFileError` or `SafetensorsError` if the file cannot be read or is not valid.
    public convenience init(path: String, called name: String? = nil) throws {
        let place = try ModelLocation(path, called: name ?? path)
        try self.init(place.open(), called: place.name)
    }

    /// Reads and checks the header of a file that comes from any source; the data is not examined.
    ///
    /// - Parameters:
    ///   - source: The bytes of the whole file.
    ///   - name: The name of the file in errors; empty if it has none.
    /// - Throws: `SafetensorsError` if the header is not valid, `InputFileError` if a named file has another known
    ///   format, or what the source throws.
    public init(_ source: any ByteSource, called name: String = "") throws {
        do { header = try Self.readHeader(source) } catch let error as SafetensorsError {
            if !name.isEmpty, let foreign = ForeignFormat(of: source) { throw foreign.error(name) }
            throw error.of(name)
        }
        self.name = name
        self.source = source
    }

    public var layout: TensorLayout { header.layout }
    /// The size of the whole file.
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

    /// Fills `buffer` with data, starting at byte `offset` of the data buffer.
    ///
    /// - Parameters:
    ///   - buffer: Where the bytes go; its size is the number of bytes to read.
    ///   - offset: The offset of the first byte, from the end of the header.
    /// - Throws: `SafetensorsError` or `InputFileError` if the data cannot be read.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try source.fill(buffer, at: header.byteCount + offset)
    }

    /// Returns the elements of one tensor as float32, row-major.
    ///
    /// - Parameter tensor: A tensor of ``layout``.
    /// - Throws: `SafetensorsError` if the tensor holds no weights, `SafetensorsError` or `InputFileError` if it cannot
    ///   be read.
    public func values(of tensor: TensorDescription) throws -> [Float] {
        guard tensor.type.holdsWeights else {
            throw SafetensorsError("\(tensor.name) is \(tensor.type.rawValue); expected F32, BF16 or F16", file: name)
        }
        return try [Float](unsafeUninitializedCapacity: tensor.elementCount) { buffer, initialized in
            let values = UnsafeMutableBufferPointer(rebasing: buffer[..<tensor.elementCount])
            try readWeights(into: values, tensor.type, at: tensor.range.lowerBound)
            initialized = tensor.elementCount
        }
    }

    /// Fills `values` with elements of a type that holds weights, starting at byte `offset` of the data buffer.
    func readWeights(into values: UnsafeMutableBufferPointer<Float>, _ type: ElementType, at offset: Int) throws {
        guard type != .f32 else { return try read(into: UnsafeMutableRawBufferPointer(values), at: offset) }
        // A part at a time: the temporary bytes stay small.
        for part in ValueBlocks.ranges(values.count) {
            try withUnsafeTemporaryAllocation(byteCount: part.count * type.byteCount, alignment: 16) { bytes in
                try read(into: bytes, at: offset + part.lowerBound * type.byteCount)
                type.decode(UnsafeRawBufferPointer(bytes), into: UnsafeMutableBufferPointer(rebasing: values[part]))
            }
        }
    }

    /// Returns all elements as float32, in the order of the data.
    ///
    /// - Throws: `SafetensorsError` if a tensor holds no weights or cannot be read.
    public func float32s() throws -> [Float] { try float32s(0..<layout.elementCount) }

    /// Returns a range of elements as float32, in the order of the data.
    ///
    /// - Parameter range: The range in the order of the data, in elements.
    /// - Throws: `SafetensorsError` if a tensor holds no weights, `InputFileError` if the elements cannot be read.
    public func float32s(_ range: Range<Int>) throws -> [Float] {
        try FileValues(self).values(range)
    }

    /// The block size for reading a whole file.
    static let blockBytes = 1 << 20

    /// Reads all bytes of the file, block by block, and calls `body` with each block. A model in several files is
    /// presented as one file.
    ///
    /// - Parameter body: Receives a block of at most 1 MiB, which is valid only during the call.
    /// - Throws: `SafetensorsError` or `InputFileError` if the file cannot be read, or what `body` throws.
    public func forEachBlock(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.blockBytes, alignment: 16)
        defer { block.deallocate() }
        for start in stride(from: 0, to: source.byteCount, by: block.count) {
            let part = UnsafeMutableRawBufferPointer(rebasing: block[..<min(block.count, source.byteCount - start)])
            try source.fill(part, at: start)
            try body(UnsafeRawBufferPointer(part))
        }
    }

    /// Writes the model as one file, which is durable when this returns.
    ///
    /// - Parameter path: The path of the file to write, which must not be one of this model's; another file there is
    ///   replaced.
    /// - Throws: `SafetensorsError` or `InputFileError` if the model cannot be read, `SafetensorsWriteError` if it
    ///   cannot be written.
    public func copy(to path: String) throws {
        try copy(to: FileSink(path: path))
    }

    /// Writes the model as one file.
    ///
    /// - Parameter sink: What the file's bytes are appended to.
    /// - Throws: `SafetensorsError` or `InputFileError` if the model cannot be read, or what the sink throws.
    public func copy(to sink: any ByteSink) throws {
        try forEachBlock { try sink.append($0) }
        try sink.finish()
    }
}
