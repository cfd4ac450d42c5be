/// SplitMix64 (Steele 2014), a small generator that gives the same numbers on every machine.
public struct SplitMix64: RandomNumberGenerator, Equatable, Sendable {
    /// The complete state of the generator.
    public private(set) var state: UInt64

    private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// Creates a generator.
    ///
    /// - Parameter seed: The first state; the same seed gives the same numbers.
    public init(seed: UInt64) { state = seed }

    /// Returns the generator after it has returned `count` numbers; takes the same time for any `count`.
    func skipping(_ count: Int) -> SplitMix64 { SplitMix64(seed: state &+ UInt64(count) &* Self.step) }

    /// Returns the next number, uniform over all 64-bit numbers.
    public mutating func next() -> UInt64 {
        state &+= Self.step
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
