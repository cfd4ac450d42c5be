import Federation

/// Columns that fit the terminal: the widest cells of text columns are cut where the line would be too long.
struct Table {
    enum Alignment { case left, right }

    private let headings: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ headings: [(String, Alignment)]) { self.headings = headings.map { (title: $0.0, alignment: $0.1) } }

    mutating func append(_ row: [String]) {
        precondition(row.count == headings.count)
        // Before the widths are counted: what is shown is what is counted.
        rows.append(row.map(DisplayText.escaped))
    }

    /// The lines, headings first.
    func lines(width limit: Int = Terminal.width) -> [StyledText] {
        var widths = headings.indices.map { column in ([headings[column].title] + rows.map { $0[column] }).map(\.count).max() ?? 0 }
        let gaps = 2 * (headings.count - 1)
        while widths.reduce(gaps, +) > limit, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }), widths[widest] > 8 {
            widths[widest] -= 1
        }
        let head = line(headings.map(\.title), widths)
        return [Terminal.styled(head, .bold)] + rows.map { StyledText(line($0, widths)) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = cells.enumerated().map { index, cell in
            let text = cell.count > widths[index] ? "\(cell.prefix(widths[index] - 1))…" : cell
            let space = String(repeating: " ", count: widths[index] - text.count)
            return headings[index].alignment == .left ? text + space : space + text
        }
        var joined = padded.joined(separator: "  ")
        while joined.hasSuffix(" ") { joined.removeLast() }
        return joined
    }

    func print() { for line in lines() { Terminal.print(line) } }
}
