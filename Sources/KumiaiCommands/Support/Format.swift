import Federation
import Foundation

/// Numbers and times as readable text.
enum Format {
    static func bytes(_ count: UInt64) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return unit == "B" ? "\(count) B" : "\(number(value, digits: 1)) \(unit)" }
            value /= 1000
        }
        return "\(number(value, digits: 1)) TB"
    }

    static func number(_ value: Double, digits: Int) -> String {
        // A peer may send a value such as 1e300.
        abs(value) < 1e9 ? String(format: "%.\(digits)f", value) : String(format: "%.3g", value)
    }

    /// `m:ss`, or `h:mm:ss`
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return whole >= 3600
            ? String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
            : String(format: "%d:%02d", whole / 60, whole % 60)
    }

    /// UTC, to the second.
    static func time(_ time: Timestamp) -> String {
        let formatter = ISO8601DateFormatter()
        return formatter.string(from: Date(timeIntervalSince1970: Double(time.milliseconds) / 1000))
    }

    static func ago(_ time: Timestamp?, now: Timestamp) -> String {
        guard let time else { return "never" }
        let seconds = now > time ? Double(now.milliseconds - time.milliseconds) / 1000 : 0
        return seconds < 90 ? "\(Int(seconds)) s ago" : "\(duration(seconds)) ago"
    }
}
