/// Milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let milliseconds: UInt64

    public init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// Saturates instead of trapping, because deadlines are computed from a plan, which is untrusted input.
    public func adding(seconds: Int) -> Timestamp {
        let (sum, overflow) = milliseconds.addingReportingOverflow(
            UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1000).partialValue
        )
        return Timestamp(milliseconds: overflow ? .max : sum)
    }

    /// Returns the time moved by `change`, which may be negative; saturates.
    public func adding(milliseconds change: Int64) -> Timestamp {
        let magnitude = change.magnitude
        if change < 0 { return Timestamp(milliseconds: milliseconds > magnitude ? milliseconds - magnitude : 0) }
        let (sum, overflow) = milliseconds.addingReportingOverflow(magnitude)
        return Timestamp(milliseconds: overflow ? .max : sum)
    }

    /// Returns the milliseconds from `earlier` to this time, negative if this time is the earlier one; saturates.
    public func milliseconds(since earlier: Timestamp) -> Int64 {
        self >= earlier
            ? Int64(clamping: milliseconds - earlier.milliseconds)
            : -Int64(clamping: earlier.milliseconds - milliseconds)
    }
}
