import Federation
import Foundation

/// A bar with rate and time left on standard error; nothing where that is no terminal.
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
        let text = Self.text(title, unit, done: done, total: total, seconds: Date().timeIntervalSince(started))
        StandardStream.error.write(trusted: "\r\u{1b}[K\(DisplayText.escaped(text))")
    }

    func finish() {
        guard Terminal.isErrorInteractive else { return }
        StandardStream.error.write(trusted: "\r\u{1b}[K")
    }

    /// `title [████    ] 12/60 rounds  1.3/s  0:37 left`
    static func text(_ title: String, _ unit: String, done: Int, total: Int, seconds: Double) -> String {
        let cells = 24
        let fraction = total == 0 ? 1 : Double(done) / Double(total)
        let filled = Int(min(1, max(0, fraction)) * Double(cells))
        let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: cells - filled)
        let rate = seconds > 0 ? Double(done) / seconds : 0
        let left = rate > 0 ? Format.duration(Double(total - done) / rate) + " left" : ""
        return "\(title) [\(bar)] \(done)/\(total) \(unit)  \(Format.number(rate, digits: 1))/s  \(left)"
    }
}
