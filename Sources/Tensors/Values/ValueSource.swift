/// Numbers that are read a range at a time, so that nobody needs to hold all of them. Threads may read at once.
package protocol ValueSource: Sendable {
    /// How many numbers there are.
    var elementCount: Int { get }
    /// Fills `values` with the numbers from `start` on.
    ///
    /// - Throws: an error if they cannot be read.
    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) throws
    /// Calls `body` with all numbers in order, a block of at most ``ValueBlocks/elements`` at a time.
    func forEachBlock(_ body: (UnsafeBufferPointer<Float>) throws -> Void) throws
}

/// How numbers are cut into blocks.
package enum ValueBlocks {
    /// 1 MiB of float32, which stays in a processor's cache.
    package static let elements = 256 * 1024

    /// The ranges of `count` numbers, in order.
    package static func ranges(_ count: Int) -> some Sequence<Range<Int>> {
        stride(from: 0, to: count, by: elements).lazy.map { $0..<Swift.min(count, $0 + elements) }
    }
}

extension ValueSource {
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
