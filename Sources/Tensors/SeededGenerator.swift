import Glibc

/// Random numbers that a training draws; the same seed gives the same ones.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var source: SplitMix64
    package var state: UInt64 { source.state }

    /// Creates a generator.
    ///
    /// - Parameter seed: The seed; the same seed gives the same numbers.
    public init(seed: UInt64) { source = SplitMix64(seed: seed) }

    /// Creates a generator for one site's turn in one round: different for each, the same when it is taken again.
    ///
    /// - Parameters:
    ///   - seed: The seed that all turns of a training have in common.
    ///   - label: What distinguishes the turns of one round, for example the site's name.
    ///   - round: The round.
    public init(seed: UInt64, label: String, round: Int) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in label.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        source = SplitMix64(seed: seed ^ hash ^ (UInt64(truncatingIfNeeded: round) &* 0x9e37_79b9_7f4a_7c15))
        _ = source.next()
    }

    /// Returns the next number, uniform over all 64-bit numbers.
    public mutating func next() -> UInt64 { source.next() }

    /// Uniform in 0 ..< 1, in steps of 2⁻²⁴.
    package mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// Normal numbers (Box and Muller 1958).
    package mutating func fillNormal(_ values: inout [Float]) {
        for index in stride(from: 0, to: values.count, by: 2) {
            let radius = sqrtf(-2 * logf(1 - uniform())), angle = 2 * Float.pi * uniform()
            values[index] = radius * cosf(angle)
            if index + 1 < values.count { values[index + 1] = radius * sinf(angle) }
        }
    }
}
