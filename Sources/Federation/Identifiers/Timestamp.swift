/// Milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let milliseconds: UInt64

    /// Creates a time.
    ///
    /// - Parameter milliseconds: The milliseconds since 1970-01-01T00:00:00Z.
    public init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    /// Whether a time is earlier than another.
    ///
    /// - Parameters:
    ///   - a: The time that may be earlier.
    ///   - b: The time that may be later.
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// Saturates instead of trapping, because deadlines are computed from a plan, which is untrusted input.
    ///
    /// - Parameter seconds: The seconds to add; a negative number counts as 0.
    /// - Returns: The later time; the largest timestamp if the sum overflows.
    public func adding(seconds: Int) -> Timestamp {
        let (sum, overflow) = milliseconds.addingReportingOverflow(
            UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1000).partialValue
        )
        return Timestamp(milliseconds: overflow ? .max : sum)
    }

    /// Returns the time moved by `change`, which may be negative; saturates.
    ///
    /// - Parameter change: The milliseconds to add.
    public func adding(milliseconds change: Int64) -> Timestamp {
        let magnitude = change.magnitude
        if change < 0 { return Timestamp(milliseconds: milliseconds > magnitude ? milliseconds - magnitude : 0) }
        let (sum, overflow) = milliseconds.addingReportingOverflow(magnitude)
        return Timestamp(milliseconds: overflow ? .max : sum)
    }

    /// Returns the milliseconds from `earlier` to this time, negative if this time is the earlier one; saturates.
    ///
    /// - Parameter earlier: The time to count from, which may also be the later one.
    public func milliseconds(since earlier: Timestamp) -> Int64 {
        self >= earlier
            ? Int64(clamping: milliseconds - earlier.milliseconds)
            : -Int64(clamping: earlier.milliseconds - milliseconds)
    }
}
