import Settings
/// The encoding of a site's update. The coordinator decodes it to float32, with the same result on every machine.
public enum Compression: Equatable, Sendable {
    /// float32.
    case none
    /// The upper half of each float32, rounded: 2 bytes per value.
    case bfloat16
    /// One byte per value, and a float32 scale for each block of values.
    case int8(block: Int)
    /// Only the values of largest magnitude, this fraction of all, 8 bytes each. The site keeps the rest and adds it to
    /// its next update (error feedback, Stich 2018, arXiv:1809.07599).
    case topK(fraction: Double)

    /// Whether something of an update is kept at the site and added to its next one.
    public var leavesRest: Bool {
        switch self {
        case .none, .bfloat16, .int8: false
        case .topK: true
        }
    }

    public var name: String { kind.rawValue }
}
