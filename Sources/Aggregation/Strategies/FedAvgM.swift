import CKernels

/// m ← β·m + mean; w ← w + η·m (Reddi 2021, arXiv:2003.00295; Hsu 2019, arXiv:1909.06335).
struct FedAvgM: ServerOptimizer {
    let learningRate: Double
    let momentum: Double

    func step(
        sums: UnsafeBufferPointer<Int64>,
        denominator: Double,
        weights: UnsafeBufferPointer<Float>,
        state: UnsafeMutableBufferPointer<Float>,
        next: UnsafeMutableBufferPointer<Float>
    ) {
        kumiai_average_momentum(
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
