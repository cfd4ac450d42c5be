/// The integer ring of the sum: a value v becomes round(v·2^bits), and weighted values add up in 64-bit integers.
///
/// Integer addition commutes, so any order of arrival gives the same bits.
public enum FixedPoint {
    /// The finest scale at which no sum can overflow, for coordinates of at most `bound` and weights that add up to at
    /// most `totalWeight`.
    ///
    /// bound·2^bits ≤ 2^51, where rounding in float64 is exact, and bound·2^bits·totalWeight ≤ 2^62.
    public static func scaleBits(bound: Double, totalWeight: UInt64) -> Int {
        precondition(bound > 0 && bound.isFinite && totalWeight > 0)
        let boundBits = ceilingLog2(bound)
        let weightBits = UInt64.bitWidth - (totalWeight - 1).leadingZeroBitCount
        return min(51 - boundBits, 62 - boundBits - weightBits)
    }

    /// The smallest e with value ≤ 2^e.
    private static func ceilingLog2(_ value: Double) -> Int {
        Int(value.exponent) + (value.significand == 1 ? 0 : 1)
    }
}

extension Plan {
    /// The scale of every round of the campaign with a cohort of `cohort` sites.
    public func scaleBits(cohort: Int) -> Int {
        FixedPoint.scaleBits(bound: bounds.norm, totalWeight: UInt64(bounds.weight) * UInt64(max(1, cohort)))
    }
    /// The scale of sums of products of two factors of one update: their product is at most the square of its norm.
    public func productScaleBits(cohort: Int) -> Int {
        FixedPoint.scaleBits(
            bound: bounds.norm * bounds.norm,
            totalWeight: UInt64(bounds.weight) * UInt64(max(1, cohort))
        )
    }
}
