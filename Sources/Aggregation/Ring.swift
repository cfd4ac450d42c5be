import CKernels
import Federation

/// Sums in the integer ring: see ``FixedPoint``.
enum Ring {
    /// sums += weight·round(values·2^scaleBits); throws where a value is over the plan's bound, which could overflow the ring.
    static func accumulate(
        _ values: UnsafeBufferPointer<Float>, into sums: UnsafeMutablePointer<Int64>, _ task: AggregationTask, _ contribution: AggregationTask.Contribution
    ) throws {
        // Also NaN and infinity, which compare false.
        guard Double(kumiai_largest_magnitude(values.baseAddress, Int64(values.count))) <= task.bound else { throw overBound(contribution) }
        kumiai_accumulate(sums, values.baseAddress, Int64(values.count), scale(task.scaleBits), Int64(contribution.weight))
    }

    static func overBound(_ contribution: AggregationTask.Contribution) -> AggregationError {
        AggregationError("the update of \(contribution.site) has values over the plan's bound")
    }

    static func scale(_ bits: Int) -> Double { Double(sign: .plus, exponent: bits, significand: 1) }

    /// What a sum is divided by to give the weighted mean.
    static func denominator(_ task: AggregationTask) -> Double { Double(task.totalWeight) * scale(task.scaleBits) }
}
