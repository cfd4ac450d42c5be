import Federation

/// How a block of summed updates changes a block of weights. Each strategy implements it in its own file.
///
/// All arithmetic is IEEE float64 without contraction, rounded once to float32, so that the bits are the same on every
/// machine.
protocol ServerOptimizer: Sendable {
    /// - Parameters:
    ///   - sums: The integer sums of the block.
    ///   - denominator: The total weight · 2^scaleBits.
    ///   - weights: The block of the model that the round started from.
    ///   - state: The block of the server state, updated in place: none, one or two values per parameter.
    ///   - next: The block of the next model.
    func step(
        sums: UnsafeBufferPointer<Int64>,
        denominator: Double,
        weights: UnsafeBufferPointer<Float>,
        state: UnsafeMutableBufferPointer<Float>,
        next: UnsafeMutableBufferPointer<Float>
    )
}

extension Strategy {
    var optimizer: any ServerOptimizer {
        switch self {
        case .fedAvg(let rate): FedAvg(learningRate: rate)
        case .fedAvgM(let rate, let momentum): FedAvgM(learningRate: rate, momentum: momentum)
        case .nesterov(let rate, let momentum): Nesterov(learningRate: rate, momentum: momentum)
        case .fedAdam(let moments): AdaptiveOptimizer(moments: moments, isYogi: false)
        case .fedYogi(let moments): AdaptiveOptimizer(moments: moments, isYogi: true)
        }
    }
}
