import Federation
import Foundation
import Testing

@testable import KumiaiCommands

/// The text that is drawn into a terminal's window.
@Suite struct LiveViewTests {
    private func report(sites: Int, committed: Int = 3) -> StatusReport {
        let digest = Digest([UInt8](repeating: 1, count: 32))!
        return StatusReport(
            consortium: "test",
            time: Timestamp(milliseconds: 1_000_000),
            ledgerEntries: 9,
            treeHead: "",
            campaign: CampaignReport(
                campaign: CampaignID("FY2026-FY2027")!,
                phase: "collecting",
                key: RoundKey(round: committed + 1, attempt: 1),
                rounds: 60,
                committed: committed,
                deadline: nil,
                model: digest,
                quorum: 1,
                updatesInRound: 0,
                updatesAccepted: 0,
                updatesRefused: 0,
                reason: ""
            ),
            sites: (0..<sites).map {
                SiteReport(
                    site: SiteID("member/site-\($0)")!,
                    isConnected: !$0.isMultiple(of: 2),
                    heartbeat: Heartbeat(),
                    updatesAccepted: 0,
                    updatesRefused: 0,
                    lastSeen: nil
                )
            },
            models: []
        )
    }

    private func lines(sites: Int, _ columns: Int, _ lines: Int, notice: String? = nil) -> [String] {
        LiveFrame(report: report(sites: sites), bar: "the bar", notice: notice).lines(
            in: WindowSize(columns: columns, lines: lines)
        )
    }

    @Test(arguments: [1, 2, 3, 5, 8, 24], [1, 7, 20, 40, 80, 200])
    func aFrameNeverLeavesItsWindow(height: Int, width: Int) {
        for sites in [1, 3, 100] {
            for notice in [nil, "the coordinator cannot be reached"] {
                let lines = lines(sites: sites, width, height, notice: notice)
                #expect(lines.count <= max(1, height - 1))
                #expect(lines.allSatisfy { $0.columns <= width })
            }
        }
    }

    @Test func whatAPeerSaysOfTimesAndLossesFitsTheTable() {
        var report = report(sites: 1)
        report.sites[0].lastSeen = Timestamp(milliseconds: .max)
        report.sites[0].heartbeat.localLoss = -1e300
        let text = SiteTable.table(report).plainLines(width: 200).joined(separator: "\n")
        #expect(text.contains("-1e+300"), "\(text)")
    }

    @Test func sitesThatDoNotFitAreCounted() {
        let lines = lines(sites: 100, 80, 10)
        #expect(lines.count == 9 && lines.last == "the bar")
        #expect(lines[7] == "… 94 more sites, 47 connected")
        #expect(lines[1].hasPrefix("member/site-0") && lines[6].hasPrefix("member/site-5"))
        #expect(self.lines(sites: 3, 80, 10).suffix(2) == ["", "the bar"])
        #expect(self.lines(sites: 3, 80, 3, notice: "gone") == ["the bar", "gone"])
    }

    @Test func aDrawingGoesUpByTheRowsThatItTookAndClearsWhatIsLeft() {
        var drawing = InPlaceDrawing()
        let window = WindowSize(columns: 10, lines: 5)
        #expect(
            drawing.draw(["one", "two", "three"], in: window)
                == "\r\u{1b}[2Kone\n\u{1b}[2Ktwo\n\u{1b}[2Kthree\n\u{1b}[J"
        )
        #expect(drawing.draw(["four"], in: window) == "\r\u{1b}[3A\u{1b}[2Kfour\n\u{1b}[J")
        // If there are too many lines, the last ones are shown, and the cursor never goes above the window.
        let many = drawing.draw((0..<20).map { "line \($0)" }, in: window)
        #expect(many.components(separatedBy: "\n").count == 5 && many.contains("line 19") && !many.contains("line 15"))
        #expect(drawing.draw([], in: window) == "\r\u{1b}[4A\u{1b}[J")
        // In a window that became narrower, a line of ten columns takes two rows.
        _ = drawing.draw(["0123456789"], in: window)
        #expect(drawing.draw([], in: WindowSize(columns: 5, lines: 5)) == "\r\u{1b}[2A\u{1b}[J")
        #expect(!drawing.draw(["a\u{1b}[2Jb\nc"], in: window).contains("\u{1b}[2Jb"))
    }

    @Test func eastAsianCharactersTakeTwoColumns() {
        for (text, columns) in [
            ("osaka", 5), ("大阪工場", 8), ("ｶﾞ", 2), ("が", 2), ("か\u{3099}", 2), ("e\u{301}", 1), ("한국", 4), ("👩‍🏭", 2),
            ("🇯🇵", 2), ("…–█", 3),
            ("（株）", 6), ("", 0),
        ] { #expect(text.columns == columns, "\(text)") }
        #expect("大阪工場".cut(toColumns: 8) == "大阪工場")
        #expect("大阪工場".cut(toColumns: 7) == "大阪工…")
        #expect("大阪工場".cut(toColumns: 6) == "大阪…")
        #expect("abc".cut(toColumns: 0) == "" && "abc".cut(toColumns: 1) == "…")
    }

    @Test func columnsOfATableStandBelowOneAnotherInAnyScript() {
        var table = Table([("SITE", .left), ("UP", .right)])
        table.append(["大阪工場", "1 B"])
        table.append(["turin", "20 B"])
        #expect(table.plainLines(width: 80) == ["SITE        UP", "大阪工場   1 B", "turin     20 B"])
        for width in 1..<14 { #expect(table.plainLines(width: width).allSatisfy { $0.columns <= width }) }
    }

    @Test func aBarShowsAllThatIsDoneAndItsRateOnlyWhatWasSeen() {
        func bar(_ done: Int, from first: Int, _ seconds: Double, _ columns: Int = 80) -> String {
            ProgressBar.text(
                "FY2027",
                "rounds",
                done: done,
                total: 60,
                startedAt: first,
                seconds: seconds,
                columns: columns
            )
        }
        // Watched from the middle of a campaign: half of the bar is full, and the rate is unknown.
        #expect(bar(30, from: 30, 5) == "FY2027 [████████████············] 30/60 rounds")
        #expect(bar(40, from: 30, 20) == "FY2027 [████████████████········] 40/60 rounds  0.5/s  0:40 left")
        #expect(bar(31, from: 30, 60).hasSuffix("31/60 rounds  1.0/min  29:00 left"))
        #expect(bar(31, from: 30, 7200).contains("0.5/h"))
        #expect(bar(60, from: 30, 60).hasSuffix("60/60 rounds  0.5/s"))
        for columns in 1..<90 { #expect(bar(40, from: 30, 20, columns).columns <= columns) }
    }
}
