import CKernels

/// m ← β·m + mean; w ← w + η·(mean + β·m): the outer optimiser of DiLoCo (Douillard 2023, arXiv:2311.08105).
struct Nesterov: ServerOptimizer {
    let learningRate: Double
    let momentum: Double

    func step(
        sums: UnsafeBufferPointer<Int64>,
        denominator: Double,
        weights: UnsafeBufferPointer<Float>,
        state: UnsafeMutableBufferPointer<Float>,
        next: UnsafeMutableBufferPointer<Float>
    ) {
        kumiai_average_nesterov(
            sums.baseAddress,
            weights.baseAddress,
            state.baseAddress,
            next.baseAddress,
            Int64(sums.count),
            denominator,
            learningRate,
            momentum
        )
    }
}
