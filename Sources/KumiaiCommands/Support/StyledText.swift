import Federation

/// Text for a terminal. Literals from the source are printed unchanged; interpolated values may be untrusted and are
/// escaped.
struct StyledText: ExpressibleByStringInterpolation {
    fileprivate struct Run {
        var text: String
        var style: Terminal.Style?
    }

    private var runs: [Run]

    private init(runs: [Run]) { self.runs = runs }

    /// Any text, escaped.
    init(_ text: String) { runs = [Run(text: DisplayText.escaped(text))] }

    init(stringLiteral text: String) { runs = [Run(text: text)] }

    init(stringInterpolation: StringInterpolation) { runs = stringInterpolation.runs }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var runs: [Run] = []

        init(literalCapacity: Int, interpolationCount: Int) { runs.reserveCapacity(2 * interpolationCount + 1) }

        mutating func appendLiteral(_ text: String) { runs.append(Run(text: text)) }
        mutating func appendInterpolation(_ text: StyledText) { runs += text.runs }
        mutating func appendInterpolation(_ value: some Any) { runs.append(Run(text: DisplayText.escaped("\(value)"))) }
    }

    func styled(_ style: Terminal.Style) -> StyledText {
        StyledText(runs: runs.map { Run(text: $0.text, style: $0.style ?? style) })
    }

    static func + (a: StyledText, b: StyledText) -> StyledText { StyledText(runs: a.runs + b.runs) }

    /// The text with or without ECMA-48 control sequences for its styles.
    func rendered(inColour: Bool) -> String {
        runs.map { run in
            guard inColour, let style = run.style else { return run.text }
            return "\u{1b}[\(style.rawValue)m\(run.text)\u{1b}[0m"
        }.joined()
    }
}

extension StyledText: CustomStringConvertible {
    var description: String { rendered(inColour: false) }
}
