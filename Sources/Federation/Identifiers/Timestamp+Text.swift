extension Timestamp {
    /// `2026-11-26T03:06:10Z`: UTC, to the second.
    public var text: String {
        let seconds = milliseconds / 1000
        let (year, month, day) = Self.date(days: Int64(seconds / 86_400))
        let time = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map { Self.padded(Int64($0)) }
        return "\(year)-\(Self.padded(month))-\(Self.padded(day))T\(time.joined(separator: ":"))Z"
    }

    /// The Gregorian date for a number of days since 1970-01-01 (Hinnant, chrono-compatible low-level date algorithms).
    private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // Months count from March, so that a leap day is the last day of the year.
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func padded(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

    /// Returns the distance between two times in whole seconds.
    ///
    /// - Parameter other: The other time, earlier or later.
    public func seconds(to other: Timestamp) -> UInt64 {
        (self > other ? milliseconds - other.milliseconds : other.milliseconds - milliseconds) / 1000
    }
}
