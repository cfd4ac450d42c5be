import Federation

/// Lines that are redrawn in place, inside the window, so that none of them goes into the scrollback.
///
/// Returns the bytes to write; it writes nothing itself. The cursor stays on the line below the last one.
struct InPlaceDrawing {
    private var drawn: [String] = []

    /// How many lines fit into a window besides the cursor's line.
    static func room(in window: WindowSize) -> Int { max(1, window.lines - 1) }

    mutating func draw(_ lines: [String], in window: WindowSize) -> String {
        let lines = lines.suffix(Self.room(in: window)).map { DisplayText.escaped($0).cut(toColumns: window.columns) }
        // Lines that were drawn in a wider window may take more rows now.
        let rows = drawn.reduce(0) { $0 + max(1, ($1.columns + window.columns - 1) / window.columns) }
        let up = min(rows, window.lines - 1)
        drawn = lines
        // Each line is cleared before it is written: clearing after a line that fills the window would delete its last
        // character.
        let text = lines.map { "\u{1b}[2K\($0)\n" }.joined()
        return "\r" + (up > 0 ? "\u{1b}[\(up)A" : "") + text + "\u{1b}[J"
    }
}
