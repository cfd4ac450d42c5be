import Federation

/// What a window shows of a running campaign: its sites, its progress, and current problems.
struct LiveFrame {
    let report: StatusReport
    let bar: String
    /// For example that the coordinator cannot be reached.
    var notice: String?

    /// As many lines as fit, always with the bar and the notice. Sites that do not fit are counted.
    func lines(in window: WindowSize) -> [String] {
        let room = InPlaceDrawing.room(in: window)
        let table = SiteTable.table(report).plainLines(width: window.columns)
        let tail = words + [bar] + (notice.map { [$0] } ?? [])
        if table.count + 1 + tail.count <= room { return cut(table + [""] + tail, window) }
        // Room for the heading, a line for the sites that are not shown, and at least one site.
        let shown = room - tail.count - 2
        guard shown >= 1 else { return cut(Array(tail.suffix(room)), window) }
        let hidden = report.sites.dropFirst(shown)
        let rest =
            "… \(hidden.count) more site\(hidden.count == 1 ? "" : "s"), \(hidden.count(where: \.isConnected)) connected"
        return cut(Array(table.prefix(shown + 1)) + [rest] + tail, window)
    }

    /// Why the campaign does not continue, and current problems; a few lines at most.
    private var words: [String] {
        var lines: [String] = []
        if let campaign = report.campaign, !campaign.reason.isEmpty {
            lines.append("\(campaign.phase): \(campaign.reason)")
        }
        lines += report.problems.map { "trouble: \($0)" } + SiteTable.problems(report)
        return Array(lines.prefix(Self.wordLines)).map(DisplayText.escaped)
    }

    private static let wordLines = 4

    private func cut(_ lines: [String], _ window: WindowSize) -> [String] {
        lines.map { $0.cut(toColumns: window.columns) }
    }
}
