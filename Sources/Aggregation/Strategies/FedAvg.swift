import CKernels

/// w ← w + η·mean (McMahan 2017, arXiv:1602.05629).
struct FedAvg: ServerOptimizer {
    let learningRate: Double

    func step(
        sums: UnsafeBufferPointer<Int64>,
        denominator: Double,
        weights: UnsafeBufferPointer<Float>,
        state: UnsafeMutableBufferPointer<Float>,
        next: UnsafeMutableBufferPointer<Float>
    ) {
        kumiai_average(
            sums.baseAddress,
            weights.baseAddress,
            next.baseAddress,
            Int64(sums.count),
            denominator,
            learningRate
        )
    }
}
