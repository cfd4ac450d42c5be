import Glibc

/// The data of a blob's chunk, passed on without copying.
public final class Payload: @unchecked Sendable {
    // Unchecked: the bytes are not changed after they are filled.
    let start: UnsafeMutableRawPointer
    public private(set) var count: Int

    /// Takes ownership of memory from `malloc`.
    init(adopting start: UnsafeMutableRawPointer, count: Int) {
        self.start = start
        self.count = count
    }

    /// Allocates `capacity` bytes; `fill` writes into them and returns how many bytes it wrote.
    ///
    /// - Parameters:
    ///   - capacity: The number of bytes that `fill` may write.
    ///   - fill: Writes to the buffer, from its start; returns the number of bytes that it wrote.
    /// - Throws: What `fill` throws.
    public init(capacity: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows {
        start = malloc(max(1, capacity))!
        count = 0
        count = try fill(UnsafeMutableRawBufferPointer(start: start, count: capacity))
    }

    /// Copies an array.
    ///
    /// - Parameter bytes: The data.
    public convenience init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count) { buffer in
            buffer.copyBytes(from: bytes)
            return bytes.count
        }
    }

    deinit { free(start) }

    /// Calls `body` with the data.
    ///
    /// - Parameter body: Receives the bytes, which are valid only during the call.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(start: start, count: count))
    }

    public var bytes: [UInt8] { withUnsafeBytes(Array.init) }
}
