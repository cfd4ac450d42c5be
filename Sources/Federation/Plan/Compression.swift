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

    public var name: String {
        switch self {
        case .none: "none"
        case .bfloat16: "bfloat16"
        case .int8: "int8"
        case .topK: "topk"
        }
    }

    public var problems: [PlanProblem] {
        switch self {
        case .int8(let block) where !PlanLimits.compressionBlock.contains(block):
            let range = PlanLimits.compressionBlock
            return [
                PlanProblem(key: "compression.block", message: "expected \(range.lowerBound) to \(range.upperBound)")
            ]
        case .topK(let fraction) where !(fraction > 0 && fraction <= PlanLimits.topFraction):
            return [
                PlanProblem(
                    key: "compression.fraction",
                    message:
                        """
                        expected more than 0 and at most \(PlanLimits.topFraction): a larger fraction would send more \
                        than no compression
                        """
                )
            ]
        default: return []
        }
    }
}
