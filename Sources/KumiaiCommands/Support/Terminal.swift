import Federation

/// A command's text output: results on standard output, errors and notices on standard error.
///
/// Output to a pipe has no colour and no progress bar.
enum Terminal {
    static var isInteractive: Bool { StandardStream.output.isInteractive }
    static var isErrorInteractive: Bool { StandardStream.error.isInteractive }
    static var width: Int { StandardStream.output.width }

    enum Style: String { case bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36" }

    static func styled(_ text: StyledText, _ style: Style) -> StyledText { text.styled(style) }

    // Disfavoured, so that a literal becomes a `StyledText`: its own characters are trusted, and interpolated values
    // keep their style.
    @_disfavoredOverload
    static func styled(_ text: String, _ style: Style) -> StyledText { StyledText(text).styled(style) }

    /// Prints a line.
    static func print(_ line: StyledText = "") { StandardStream.output.print(line) }

    /// Prints any text as one line, escaped.
    @_disfavoredOverload
    static func print(_ line: String) { StandardStream.output.print(StyledText(line)) }

    /// Prints JSON; it may have several lines.
    static func printJSON(_ json: String) { StandardStream.output.write(trusted: DisplayText.escapedJSON(json) + "\n") }

    /// `kumiai: error: …` and `kumiai: hint: …` on standard error.
    static func error(_ message: String, hint: String = "") {
        StandardStream.error.print("kumiai: error: \(message)")
        if !hint.isEmpty { StandardStream.error.print("kumiai: hint: \(hint)") }
    }

    /// `kumiai: …` on standard error.
    static func printNotice(_ message: String) { StandardStream.error.print("kumiai: \(message)") }
}
