import CPlatform
import Glibc

/// Writes a safetensors file of a known layout, block by block.
public final class SafetensorsWriter {
    private let sink: any ByteSink
    private let layout: TensorLayout
    /// Bytes of data that were appended, and the tensor that the next one belongs to.
    private var written = 0
    private var tensor = 0

    /// Creates a file, or empties the one that is there, and writes the header.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - layout: The tensors, whose data is appended in this order.
    ///   - metadata: The header's metadata, in any order; each name occurs once.
    /// - Throws: `SafetensorsWriteError` if the file cannot be created or written.
    public convenience init(path: String, layout: TensorLayout, metadata: [(name: String, value: String)] = []) throws {
        try self.init(FileSink(path: path), layout: layout, metadata: metadata)
    }

    /// Writes the header to a sink.
    ///
    /// - Parameters:
    ///   - sink: What the file's bytes are appended to.
    ///   - layout: The tensors, whose data is appended in this order.
    ///   - metadata: The header's metadata, in any order; each name occurs once.
    /// - Throws: What the sink throws if it cannot be written.
    public init(_ sink: any ByteSink, layout: TensorLayout, metadata: [(name: String, value: String)] = []) throws {
        self.sink = sink
        self.layout = layout
        try SafetensorsHeader.encode(layout, metadata: metadata).withUnsafeBytes { try sink.append($0) }
    }

    /// Appends data; all blocks together must have the layout's size.
    ///
    /// - Parameter bytes: Elements as they are in the file: little-endian, row-major.
    /// - Throws: `SafetensorsWriteError`, or what another sink throws, if the data cannot be written.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        precondition(bytes.count <= layout.byteCount - written, "more data than the layout holds")
        try sink.append(bytes)
        written += bytes.count
        while tensor < layout.tensors.count, layout.tensors[tensor].range.upperBound <= written { tensor += 1 }
    }

    /// Appends numbers, rounded to the types of the tensors that they belong to.
    ///
    /// - Parameter values: The next numbers in the order of the layout; they may end within a tensor.
    /// - Throws: `SafetensorsWriteError`, or what another sink throws, if the data cannot be written.
    public func append(_ values: [Float]) throws { try values.withUnsafeBufferPointer { try append($0) } }

    /// The same; the numbers of an update or of a model are appended a block at a time.
    package func append(_ values: UnsafeBufferPointer<Float>) throws {
        var done = 0
        while done < values.count {
            precondition(tensor < layout.tensors.count, "more data than the layout holds")
            let type = layout.tensors[tensor].type
            let room = (layout.tensors[tensor].range.upperBound - written) / type.byteCount
            let part = UnsafeBufferPointer(
                rebasing: values[done..<done + min(values.count - done, room, ValueBlocks.elements)]
            )
            try append(part, as: type)
            done += part.count
        }
    }

    private func append(_ values: UnsafeBufferPointer<Float>, as type: ElementType) throws {
        guard type != .f32 else { return try append(UnsafeRawBufferPointer(values)) }
        try withUnsafeTemporaryAllocation(byteCount: values.count * type.byteCount, alignment: 16) { bytes in
            type.encode(values, into: bytes)
            try append(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Makes the file durable. All data must have been appended.
    ///
    /// - Throws: `SafetensorsWriteError`, or what another sink throws, if the file cannot be synchronised.
    public func finish() throws {
        precondition(written == layout.byteCount, "less data than the layout holds")
        try sink.finish()
    }
}

/// A sink for sequential bytes.
public protocol ByteSink: AnyObject {
    /// Appends bytes after those of the earlier calls.
    ///
    /// - Parameter bytes: The bytes, which are valid only during the call.
    /// - Throws: If they cannot be written.
    func append(_ bytes: UnsafeRawBufferPointer) throws
    /// Called after the last byte; a file is durable when this returns.
    ///
    /// - Throws: If it cannot be written.
    func finish() throws
}

final class FileSink: ByteSink {
    private let descriptor: Int32
    private var byteCount: Int64 = 0
    /// The offset up to which the system was asked to start write-back.
    private var begun: Int64 = 0

    /// After this many bytes the system is asked to start write-back, so that the final fsync has little left to wait
    /// for.
    private static let writeBackBytes: Int64 = 4 << 20

    init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SafetensorsWriteError(path: path) }
    }

    deinit { close(descriptor) }

    func finish() throws {
        guard fsync(descriptor) == 0 else { throw SafetensorsWriteError(path: "") }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw SafetensorsWriteError(path: "") }
            done += count
        }
        byteCount += Int64(bytes.count)
        guard byteCount - begun >= Self.writeBackBytes else { return }
        kumiai_begin_writing(descriptor, begun, byteCount - begun)
        begun = byteCount
    }
}

/// A failure to write a model's file.
public struct SafetensorsWriteError: Error, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String
    /// Whether the disk is full, which may be temporary.
    public let isFull: Bool

    init(path: String) {
        self.path = path
        isFull = errno == ENOSPC || errno == EDQUOT
        reason = String(cString: strerror(errno))
    }

    public var description: String { "cannot write \(path.isEmpty ? "a model's file" : path): \(reason)" }
}
