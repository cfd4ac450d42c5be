/// The numbers that a setting may have.
public struct NumberRange: Equatable, Sendable {
    public let lower: Double
    public let upper: Double
    /// Whether the bounds themselves are in the range.
    public let includesLower: Bool
    public let includesUpper: Bool

    private init(_ lower: Double, _ upper: Double, includesLower: Bool, includesUpper: Bool) {
        self.lower = lower
        self.upper = upper
        self.includesLower = includesLower
        self.includesUpper = includesUpper
    }

    /// Makes a range that includes both bounds.
    ///
    /// - Parameters:
    ///   - lower: The smallest number of the range.
    ///   - upper: The largest number of the range.
    public static func from(_ lower: Double, to upper: Double) -> NumberRange {
        NumberRange(lower, upper, includesLower: true, includesUpper: true)
    }

    /// Makes a range that includes the lower bound, but not the upper one.
    ///
    /// - Parameters:
    ///   - lower: The smallest number of the range.
    ///   - upper: The number that all of the range are less than.
    public static func from(_ lower: Double, below upper: Double) -> NumberRange {
        NumberRange(lower, upper, includesLower: true, includesUpper: false)
    }

    /// Makes a range that includes the upper bound, but not the lower one.
    ///
    /// - Parameters:
    ///   - lower: The number that all of the range are greater than.
    ///   - upper: The largest number of the range.
    public static func above(_ lower: Double, to upper: Double) -> NumberRange {
        NumberRange(lower, upper, includesLower: false, includesUpper: true)
    }

    /// Whether a number is in the range; NaN and infinite numbers are in no range.
    ///
    /// - Parameter value: The number.
    public func contains(_ value: Double) -> Bool {
        value.isFinite && (includesLower ? value >= lower : value > lower)
            && (includesUpper ? value <= upper : value < upper)
    }

    /// As it follows "expected".
    public var text: String {
        if includesLower && includesUpper { return "\(Self.text(lower)) to \(Self.text(upper))" }
        return (includesLower ? "at least " : "more than ") + Self.text(lower)
            + (includesUpper ? " and at most " : " and less than ") + Self.text(upper)
    }

    private static func text(_ value: Double) -> String {
        Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
