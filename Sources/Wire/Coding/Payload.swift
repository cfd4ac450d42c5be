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
    public init(capacity: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows {
        start = malloc(max(1, capacity))!
        count = 0
        count = try fill(UnsafeMutableRawBufferPointer(start: start, count: capacity))
    }

    public convenience init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count) { buffer in
            buffer.copyBytes(from: bytes)
            return bytes.count
        }
    }

    deinit { free(start) }

    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(start: start, count: count))
    }

    public var bytes: [UInt8] { withUnsafeBytes(Array.init) }
}
