import Glibc
import Tensors

/// The representation and the sampling of time for flow matching.
package enum FlowTime {
    /// The number of integration steps from noise to actions, as in π0.
    static let steps = 10
    private static let shortest = 4e-3, longest = 4.0

    /// Computes the sine and cosine of 2π·t/period for periods from 0.004 to 4 in geometric steps (`posemb_sincos` in
    /// openpi).
    static func features(_ time: Float, into features: UnsafeMutablePointer<Float>, width: Int) {
        let half = width / 2
        for index in 0..<half {
            let fraction = Double(index) / Double(max(1, half - 1))
            let angle = 2 * Double.pi * Double(time) / (shortest * pow(longest / shortest, fraction))
            features[index] = Float(sin(angle))
            features[half + index] = Float(cos(angle))
        }
    }

    /// Draws a time from 0 to 1 with a preference for noisy actions: 0.999·(1 − b), where b has the distribution
    /// Beta(1.5, 1) (π0, arXiv:2410.24164).
    package static func sample(using generator: inout SeededGenerator) -> Float {
        0.999 * (1 - powf(generator.uniform(), 2 / 3))
    }
}
