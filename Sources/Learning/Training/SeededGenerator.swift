/// SplitMix64 (Steele 2014): small, and the same numbers everywhere.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    /// All that decides what comes next.
    private(set) var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// A generator for one site's turn in one round: different for each, the same when it is taken again.
    public init(seed: UInt64, label: String, round: Int) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in label.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        state = seed ^ hash ^ (UInt64(truncatingIfNeeded: round) &* 0x9e37_79b9_7f4a_7c15)
        _ = next()
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
