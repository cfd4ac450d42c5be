import Federation

/// A table that fits the window: the widest columns are cut if a line would be too long. In a pipe nothing is cut.
struct Table {
    enum Alignment { case left, right }

    private let headings: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    /// Columns are not made narrower than this.
    private static let narrowest = 8

    init(_ headings: [(String, Alignment)]) { self.headings = headings.map { (title: $0.0, alignment: $0.1) } }

    mutating func append(_ row: [String]) {
        precondition(row.count == headings.count)
        // Escaped before the widths are computed, because the escaped text is what is shown.
        rows.append(row.map(DisplayText.escaped))
    }

    /// The lines, headings first; each is cut to `limit` columns, even in the middle of a cell.
    func plainLines(width limit: Int) -> [String] {
        var widths = headings.indices.map { column in
            ([headings[column].title] + rows.map { $0[column] }).map(\.columns).max() ?? 0
        }
        let gaps = 2 * (headings.count - 1)
        while widths.reduce(gaps, +) > limit, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
            widths[widest] > Self.narrowest
        {
            widths[widest] -= 1
        }
        return ([headings.map(\.title)] + rows).map { line($0, widths).cut(toColumns: limit) }
    }

    /// The same, with headings in bold.
    func lines(width limit: Int = Terminal.isInteractive ? Terminal.width : .max) -> [StyledText] {
        let lines = plainLines(width: limit)
        return [Terminal.styled(lines[0], .bold)] + lines.dropFirst().map { StyledText($0) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = cells.enumerated().map { index, cell in
            let text = cell.cut(toColumns: widths[index])
            let space = String(repeating: " ", count: widths[index] - text.columns)
            return headings[index].alignment == .left ? text + space : space + text
        }
        var joined = padded.joined(separator: "  ")
        while joined.hasSuffix(" ") { joined.removeLast() }
        return joined
    }

    func print() { for line in lines() { Terminal.print(line) } }
}
