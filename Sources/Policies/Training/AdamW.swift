import CKernels

/// AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with gradient norm clipping.
package struct AdamW: Sendable {
    package struct Settings: Equatable, Sendable {
        package var beta1: Float
        package var beta2: Float
        package var epsilon: Float
        package var weightDecay: Float
        /// The largest Euclidean norm of the whole gradient; a larger gradient is scaled down.
        package var clip: Float

        package init(
            beta1: Float = 0.9,
            beta2: Float = 0.95,
            epsilon: Float = 1e-8,
            weightDecay: Float = 1e-4,
            clip: Float = 1
        ) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
            self.clip = clip
        }
    }

    private let settings: Settings
    private(set) var m: [Float]
    private(set) var v: [Float]
    private var power1: Double = 1
    private var power2: Double = 1

    package init(_ settings: Settings, count: Int) {
        self.settings = settings
        m = [Float](repeating: 0, count: count)
        v = m
    }

    /// Restores the state after `steps` steps.
    package mutating func restore(m: [Float], v: [Float], steps: Int) {
        precondition(m.count == self.m.count && v.count == self.v.count)
        (self.m, self.v) = (m, v)
        (power1, power2) = (1, 1)
        // Multiplied step by step, not computed as a power, so that the bits are the same.
        for _ in 0..<steps {
            power1 *= Double(settings.beta1)
            power2 *= Double(settings.beta2)
        }
    }

    /// Does one step.
    ///
    /// - Parameters:
    ///   - weights: The weights to change.
    ///   - gradient: The gradient of all weights; it must be zero outside `ranges`.
    ///   - learningRate: The learning rate of this step.
    ///   - ranges: The weights that may change.
    /// - Returns: The norm of the gradient before clipping.
    mutating func step(_ weights: inout [Float], _ gradient: [Float], learningRate: Float, in ranges: [Range<Int>])
        -> Float
    {
        power1 *= Double(settings.beta1)
        power2 *= Double(settings.beta2)
        let norm = Float(kumiai_sum_of_squares(gradient, Int64(gradient.count)).squareRoot())
        let clip = min(1, settings.clip / (norm + 1e-6))
        weights.withUnsafeMutableBufferPointer { weights in
            gradient.withUnsafeBufferPointer { gradient in
                m.withUnsafeMutableBufferPointer { m in
                    v.withUnsafeMutableBufferPointer { v in
                        for range in ranges {
                            let start = range.lowerBound
                            kumiai_adamw(
                                weights.baseAddress! + start,
                                gradient.baseAddress! + start,
                                m.baseAddress! + start,
                                v.baseAddress! + start,
                                Int64(range.count),
                                learningRate,
                                settings.beta1,
                                settings.beta2,
                                settings.epsilon,
                                settings.weightDecay,
                                Float(1 - power1),
                                Float(1 - power2),
                                clip
                            )
                        }
                    }
                }
            }
        }
        return norm
    }
}
