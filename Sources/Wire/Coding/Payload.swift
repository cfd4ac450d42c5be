import Glibc

/// The data of a blob's chunk: bytes that are handed on without being copied.
public final class Payload: @unchecked Sendable {
    // Unchecked: after it is filled, nobody writes to it.
    let start: UnsafeMutableRawPointer
    public private(set) var count: Int

    /// Takes over memory from `malloc`.
    init(adopting start: UnsafeMutableRawPointer, count: Int) {
        self.start = start
        self.count = count
    }

    /// Room for `capacity` bytes, of which `fill` says how many it wrote.
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
