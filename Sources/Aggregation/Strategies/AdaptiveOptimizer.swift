import CKernels
import Federation

/// FedAdam and FedYogi (Algorithm 2 of Reddi 2021, arXiv:2003.00295).
struct AdaptiveOptimizer: ServerOptimizer {
    let moments: AdaptiveMoments
    let isYogi: Bool

    /// `state` contains m and v of each parameter, side by side.
    func step(
        sums: UnsafeBufferPointer<Int64>,
        denominator: Double,
        weights: UnsafeBufferPointer<Float>,
        state: UnsafeMutableBufferPointer<Float>,
        next: UnsafeMutableBufferPointer<Float>
    ) {
        kumiai_average_adaptive(
            sums.baseAddress,
            weights.baseAddress,
            state.baseAddress,
            next.baseAddress,
            Int64(sums.count),
            denominator,
            moments.learningRate,
            moments.beta1,
            moments.beta2,
            moments.adaptivity,
            isYogi ? 1 : 0
        )
    }
}
