import Glibc
import Tensors

/// How a policy for flow matching sees the time.
package enum FlowTime {
    /// Steps of the integration from noise to actions, as π0 takes.
    static let steps = 10
    private static let shortest = 4e-3, longest = 4.0

    /// sin and cos of 2π·t/period for periods from 0.004 to 4, in geometric steps (openpi's `posemb_sincos`).
    static func features(_ time: Float, into features: UnsafeMutablePointer<Float>, width: Int) {
        let half = width / 2
        for index in 0..<half {
            let fraction = Double(index) / Double(max(1, half - 1))
            let angle = 2 * Double.pi * Double(time) / (shortest * pow(longest / shortest, fraction))
            features[index] = Float(sin(angle))
            features[half + index] = Float(cos(angle))
        }
    }

    /// A time in 0…1 that favours noisy actions: 0.999·(1 − b), b of the Beta distribution (1.5, 1) (π0,
    /// arXiv:2410.24164).
    package static func sample(using generator: inout SeededGenerator) -> Float {
        0.999 * (1 - powf(generator.uniform(), 2 / 3))
    }
}
