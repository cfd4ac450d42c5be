import Tensors

/// Selects the values of largest magnitude in two passes over all values: the first finds the upper bits of the
/// smallest kept magnitude, the second its lower bits.
struct TopSelection {
    /// The bits of the smallest kept magnitude.
    private let threshold: UInt32
    /// The number of kept values whose magnitude is exactly the threshold; these are the first ones.
    private let kept: Int

    private static let lowerBits = 16

    /// - Parameters:
    ///   - values: The values, at least `count`.
    ///   - count: The number of values to keep.
    ///   - check: Called with all values, block by block. If it throws, the selection fails.
    init(
        of values: any ValueSource,
        count: Int,
        check: (UnsafeBufferPointer<Float>) throws -> Void = { _ in }
    ) throws {
        var histogram = [Int](repeating: 0, count: 1 << Self.lowerBits)
        try values.forEachBlock { block in
            try check(block)
            for value in block { histogram[Int(Self.magnitude(value) >> Self.lowerBits)] += 1 }
        }
        let (upper, above) = Self.bin(of: count, in: histogram)
        histogram = [Int](repeating: 0, count: 1 << Self.lowerBits)
        try values.forEachBlock { block in
            for value in block where Self.magnitude(value) >> Self.lowerBits == upper {
                histogram[Int(Self.magnitude(value) & (1 << Self.lowerBits - 1))] += 1
            }
        }
        let (lower, aboveInBin) = Self.bin(of: count - above, in: histogram)
        threshold = UInt32(upper) << Self.lowerBits | UInt32(lower)
        kept = count - above - aboveInBin
    }

    /// Returns the bin with the `count`-th largest magnitude, and the number of values in the bins above it.
    private static func bin(of count: Int, in histogram: [Int]) -> (bin: Int, above: Int) {
        var above = 0
        for bin in histogram.indices.reversed() {
            if above + histogram[bin] >= count { return (bin, above) }
            above += histogram[bin]
        }
        return (0, above)
    }

    /// Calls `body` once per block of `values`, with the indices of its kept values, ascending, and these values.
    func forEachBlock(of values: any ValueSource, _ body: ([UInt32], [Float]) throws -> Void) throws {
        var (start, room) = (0, kept)
        try values.forEachBlock { block in
            var (indices, numbers) = ([UInt32](), [Float]())
            for (index, value) in block.enumerated() {
                let bits = Self.magnitude(value)
                guard bits >= threshold, bits > threshold || room > 0 else { continue }
                if bits == threshold { room -= 1 }
                indices.append(UInt32(start + index))
                numbers.append(value)
            }
            start += block.count
            try body(indices, numbers)
        }
    }

    /// The bits of the magnitude; they are ordered like the magnitudes.
    private static func magnitude(_ value: Float) -> UInt32 { value.bitPattern & 0x7fff_ffff }
}
