import Foundation

/// What a terminal can do. Output to a pipe has no colour and no progress bar.
enum Terminal {
    static let isInteractive = isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    static let isErrorInteractive = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    private static let allowsColour = ProcessInfo.processInfo.environment["NO_COLOR"] == nil

    static var width: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return isInteractive ? 80 : 200 }
        return Int(size.ws_col)
    }

    enum Style: String { case bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36" }

    static func styled(_ text: String, _ style: Style) -> String {
        isInteractive && allowsColour ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }

    static func print(_ text: String = "") {
        FileHandle.standardOutput.write(Data("\(text)\n".utf8))
    }

    /// `kumiai: error: …` and `kumiai: hint: …` on standard error.
    static func error(_ message: String, hint: String = "") {
        var text = "kumiai: error: \(message)\n"
        if !hint.isEmpty { text += "kumiai: hint: \(hint)\n" }
        FileHandle.standardError.write(Data(text.utf8))
    }

    static func note(_ message: String) { FileHandle.standardError.write(Data("kumiai: \(message)\n".utf8)) }
}
