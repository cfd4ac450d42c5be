/// Float32 values that are read one range at a time, so that they need not all be in memory. Must be thread-safe.
package protocol ValueSource: Sendable {
    /// The number of values.
    var elementCount: Int { get }
    /// Fills `values` with the values from index `start` on.
    ///
    /// - Throws: An error if they cannot be read.
    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) throws
    /// Calls `body` with all values in order, in blocks of at most ``ValueBlocks/elements``.
    ///
    /// - Throws: An error if the values cannot be read, or the error of `body`.
    func forEachBlock(_ body: (UnsafeBufferPointer<Float>) throws -> Void) throws
}

/// The blocks in which values are processed.
package enum ValueBlocks {
    /// The number of values in a block: 1 MiB of float32, which stays in the CPU cache.
    package static let elements = 256 * 1024

    /// Splits the indices of `count` values into the ranges of the blocks, in order.
    package static func ranges(_ count: Int) -> some Sequence<Range<Int>> {
        stride(from: 0, to: count, by: elements).lazy.map { $0..<Swift.min(count, $0 + elements) }
    }
}

extension ValueSource {
    /// Returns the numbers in a range.
    ///
    /// - Throws: what reading throws.
    package func values(_ range: Range<Int>) throws -> [Float] {
        // All empty arrays share one storage object, which must not be written to concurrently below.
        guard !range.isEmpty else { return [] }
        return try [Float](unsafeUninitializedCapacity: range.count) { buffer, count in
            buffer.initialize(repeating: 0)
            try read(UnsafeMutableBufferPointer(rebasing: buffer[..<range.count]), from: range.lowerBound)
            count = range.count
        }
    }

    package func forEachBlock(_ body: (UnsafeBufferPointer<Float>) throws -> Void) throws {
        let block = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: min(max(1, elementCount), ValueBlocks.elements)
        )
        defer { block.deallocate() }
        block.initialize(repeating: 0)
        for range in ValueBlocks.ranges(elementCount) {
            let part = UnsafeMutableBufferPointer(rebasing: block[..<range.count])
            try read(part, from: range.lowerBound)
            try body(UnsafeBufferPointer(part))
        }
    }
}
