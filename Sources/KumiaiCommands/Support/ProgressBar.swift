import Federation
import Foundation

/// A progress bar with rate and remaining time on standard error; not shown if that is not a terminal.
struct ProgressBar {
    private let title: String
    private let unit: String
    private let started = Date()
    private var lastDrawn = Date.distantPast

    init(_ title: String, unit: String) {
        self.title = title
        self.unit = unit
    }

    mutating func update(_ done: Int, of total: Int) {
        guard Terminal.isErrorInteractive, done == total || Date().timeIntervalSince(lastDrawn) > 0.1 else { return }
        lastDrawn = Date()
        let window = WindowSize(of: STDERR_FILENO)
        // The last column stays free, because some terminals would begin a new line.
        let text = Self.text(
            title,
            unit,
            done: done,
            total: total,
            seconds: Date().timeIntervalSince(started),
            columns: window.columns - 1
        )
        StandardStream.error.write(trusted: "\r\u{1b}[K\(DisplayText.escaped(text))")
    }

    func finish() {
        guard Terminal.isErrorInteractive else { return }
        StandardStream.error.write(trusted: "\r\u{1b}[K")
    }

    /// `title [████    ] 12/60 rounds  1.3/s  0:37 left`, in at most `columns` columns.
    ///
    /// `startedAt`: what was done before `seconds` began to count. The bar includes it, the rate does not.
    static func text(
        _ title: String,
        _ unit: String,
        done: Int,
        total: Int,
        startedAt first: Int = 0,
        seconds: Double,
        columns: Int = 80
    ) -> String {
        let rate = seconds > 0 ? Double(max(0, done - first)) / seconds : 0
        let left = rate > 0 && total > done ? "  " + Format.duration(Double(total - done) / rate) + " left" : ""
        let end = "\(done)/\(total) \(unit)" + (rate > 0 ? "  \(text(rate: rate))" : "") + left
        let room = columns - title.columns - end.columns - 4
        guard room >= 4 else { return "\(title) \(end)".cut(toColumns: columns) }
        let cells = min(24, room)
        let fraction = total == 0 ? 1 : Double(done) / Double(total)
        let filled = Int(min(1, max(0, fraction)) * Double(cells))
        return "\(title) [" + String(repeating: "█", count: filled) + String(repeating: "·", count: cells - filled)
            + "] \(end)"
    }

    /// Per second, minute or hour, so that a slow rate is not shown as 0.0.
    private static func text(rate: Double) -> String {
        if rate >= 0.1 { return "\(Format.number(rate, digits: 1))/s" }
        return rate * 60 >= 0.1
            ? "\(Format.number(rate * 60, digits: 1))/min" : "\(Format.number(rate * 3600, digits: 1))/h"
    }
}
