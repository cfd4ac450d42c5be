import CKernels
import Federation

/// Fixed-point summation: see ``FixedPoint``.
enum FixedPointSum {
    /// The number of arrays that are added in one pass over the sums.
    static let arraysAPass = 4

    /// sums += Σ weight·round(values·2^scaleBits) over some updates. Throws if a value exceeds the plan's bound, which
    /// could overflow the sums: they must then be discarded.
    static func accumulate(
        _ updates: [(values: UnsafePointer<Float>, contribution: AggregationTask.Contribution)],
        count: Int,
        into sums: UnsafeMutablePointer<Int64>,
        _ task: AggregationTask
    ) throws {
        guard count > 0 else { return }
        let largest = updates.map { Optional($0.values) }.withUnsafeBufferPointer { values in
            updates.map { Int64($0.contribution.weight) }.withUnsafeBufferPointer { weights in
                kumiai_accumulate(
                    sums,
                    values.baseAddress,
                    weights.baseAddress,
                    Int64(updates.count),
                    Int64(count),
                    scale(task.scaleBits)
                )
            }
        }
        guard isOver(largest, task) else { return }
        let culprit = updates.first { isOver(kumiai_largest_magnitude($0.values, Int64(count)), task) }
        throw overBound(culprit?.contribution ?? updates[0].contribution)
    }

    /// Also true for NaN and infinity, because comparisons with NaN are false.
    private static func isOver(_ magnitude: Float, _ task: AggregationTask) -> Bool {
        !(Double(magnitude) <= task.bound)
    }

    static func overBound(_ contribution: AggregationTask.Contribution) -> AggregationError {
        AggregationError("the update of \(contribution.site) has values over the plan's bound")
    }

    static func scale(_ bits: Int) -> Double { Double(sign: .plus, exponent: bits, significand: 1) }

    /// Returns the divisor that turns a sum into the weighted mean.
    static func denominator(_ task: AggregationTask) -> Double { Double(task.totalWeight) * scale(task.scaleBits) }
}
