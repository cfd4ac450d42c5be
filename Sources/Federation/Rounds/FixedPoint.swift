/// Fixed-point summation: a value v becomes round(v·2^bits), and weighted values are added in 64-bit integers.
///
/// Integer addition commutes, so the result has the same bits in any order of arrival.
public enum FixedPoint {
    /// Returns the finest scale at which no sum can overflow.
    ///
    /// bound·2^bits ≤ 2^51, where rounding in float64 is exact, and bound·2^bits·totalWeight ≤ 2^62.
    ///
    /// - Parameters:
    ///   - bound: The largest magnitude of a coordinate.
    ///   - totalWeight: The largest sum of the weights.
    public static func scaleBits(bound: Double, totalWeight: UInt64) -> Int {
        precondition(bound > 0 && bound.isFinite && totalWeight > 0)
        let boundBits = ceilingLog2(bound)
        let weightBits = UInt64.bitWidth - (totalWeight - 1).leadingZeroBitCount
        return min(51 - boundBits, 62 - boundBits - weightBits)
    }

    /// Returns the smallest e with value ≤ 2^e.
    private static func ceilingLog2(_ value: Double) -> Int {
        Int(value.exponent) + (value.significand == 1 ? 0 : 1)
    }
}

extension Plan {
    /// Returns the scale for a round with `cohort` sites.
    ///
    /// - Parameter cohort: The largest number of updates in the sum, late ones included; 0 counts as 1.
    public func scaleBits(cohort: Int) -> Int {
        FixedPoint.scaleBits(bound: bounds.norm, totalWeight: UInt64(bounds.weight) * UInt64(max(1, cohort)))
    }
    /// Returns the scale for sums of products of an update's two factors; such a product is at most the square of the
    /// norm.
    ///
    /// - Parameter cohort: The largest number of updates in the sum, late ones included; 0 counts as 1.
    public func productScaleBits(cohort: Int) -> Int {
        FixedPoint.scaleBits(
            bound: bounds.norm * bounds.norm,
            totalWeight: UInt64(bounds.weight) * UInt64(max(1, cohort))
        )
    }
}
