import Federation

/// How a block of summed updates moves a block of weights. One file a strategy implements it.
///
/// All arithmetic is IEEE float64 without contraction, rounded once to float32: the same bits on every machine.
protocol ServerOptimizer: Sendable {
    /// - Parameters:
    ///   - sums: integer sums of the block.
    ///   - denominator: total weight · 2^scaleBits.
    ///   - weights: the block of the model that the round started from.
    ///   - state: the block of the server's state, changed in place: none, one or two numbers a parameter.
    ///   - next: the block of the next model.
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
