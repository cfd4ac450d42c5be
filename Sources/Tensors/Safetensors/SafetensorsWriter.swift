import Glibc

/// Writes a safetensors file of a known layout, block after block.
public final class SafetensorsWriter {
    private let descriptor: Int32
    private var remaining: Int

    public init(path: String, layout: TensorLayout, metadata: [(name: String, value: String)] = []) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SafetensorsWriteError(path: path) }
        self.descriptor = descriptor
        remaining = layout.byteCount
        try SafetensorsHeader.encode(layout, metadata: metadata).withUnsafeBytes { try writeAll($0) }
    }

    deinit { close(descriptor) }

    /// Appends data; all blocks together are the layout's bytes.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        precondition(bytes.count <= remaining, "more data than the layout holds")
        try writeAll(bytes)
        remaining -= bytes.count
    }

    public func append(_ values: [Float]) throws { try values.withUnsafeBytes { try append($0) } }

    /// Makes the file durable.
    public func finish() throws {
        precondition(remaining == 0, "less data than the layout holds")
        guard fsync(descriptor) == 0 else { throw SafetensorsWriteError(path: "") }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw SafetensorsWriteError(path: "") }
            done += count
        }
    }
}

/// A model's file could not be written.
public struct SafetensorsWriteError: Error, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String

    init(path: String) {
        self.path = path
        reason = String(cString: strerror(errno))
    }

    public var description: String { "cannot write \(path.isEmpty ? "a model's file" : path): \(reason)" }
}
