/// Values in memory.
package struct ArrayValues: ValueSource {
    private let values: [Float]

    package init(_ values: [Float]) { self.values = values }

    package var elementCount: Int { values.count }

    package func read(_ target: UnsafeMutableBufferPointer<Float>, from start: Int) {
        values.withUnsafeBufferPointer { source in
            _ = target.update(fromContentsOf: source[start..<start + target.count])
        }
    }

    package func forEachBlock(_ body: (UnsafeBufferPointer<Float>) throws -> Void) throws {
        try values.withUnsafeBufferPointer { source in
            for range in ValueBlocks.ranges(source.count) { try body(UnsafeBufferPointer(rebasing: source[range])) }
        }
    }
}
