import Foundation

/// The hours and the rate at which a site transfers blobs.
package struct TransferPolicy: Equatable, Sendable {
    /// `nil` for any time.
    package var hours: DailyHours?
    /// `nil` for no limit.
    package var megabitsPerSecond: Double?

    package init(hours: DailyHours? = nil, megabitsPerSecond: Double? = nil) {
        self.hours = hours
        self.megabitsPerSecond = megabitsPerSecond
    }

    package static let unlimited = TransferPolicy()

    var bytesPerSecond: Double? { megabitsPerSecond.map { $0 * 1e6 / 8 } }
}

/// Hours of every day in the site's local time, for example from 22:00 to 06:00.
package struct DailyHours: Equatable, Sendable, CustomStringConvertible {
    /// Minutes since midnight; the end is not included, and may be on the next day.
    package let start: Int
    package let end: Int

    /// Parses `HH:MM-HH:MM`; `nil` for other texts and for empty hours.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map(Self.minutes)
        guard parts.count == 2, let start = parts[0], let end = parts[1], start != end, start < 24 * 60 else {
            return nil
        }
        self.start = start
        self.end = end % (24 * 60)
    }

    private static func minutes(_ text: Substring) -> Int? {
        let digits = text.utf8.map { Int($0) - 48 }
        guard digits.count == 5, digits[2] == 10, [0, 1, 3, 4].allSatisfy({ (0...9).contains(digits[$0]) }) else {
            return nil
        }
        let (hours, minutes) = (digits[0] * 10 + digits[1], digits[3] * 10 + digits[4])
        return hours < 24 && minutes < 60 || (hours, minutes) == (24, 0) ? hours * 60 + minutes : nil
    }

    package func contains(minute: Int) -> Bool {
        start < end ? (start..<end).contains(minute) : minute >= start || minute < end
    }

    /// Returns the minutes until the hours begin; 0 within the hours.
    package func wait(atMinute minute: Int) -> Int {
        contains(minute: minute) ? 0 : (start - minute + 24 * 60) % (24 * 60)
    }

    package var description: String {
        func clock(_ minutes: Int) -> String { String(format: "%02d:%02d", minutes / 60, minutes % 60) }
        return "\(clock(start))-\(clock(end))"
    }

    /// Returns the minute of the day in the machine's time zone.
    package static func minuteOfDay(at milliseconds: UInt64) -> Int {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return Int(parts.tm_hour) * 60 + Int(parts.tm_min)
    }
}
