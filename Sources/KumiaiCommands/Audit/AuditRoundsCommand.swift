import ArgumentParser
import Audit
import Federation

struct AuditRoundsCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "rounds",
        abstract: "List every round: its sites, their updates, and its result.",
        discussion: """
            Columns:
              ENTRIES   the ledger entries that opened the round and that committed or
                        abandoned it; `kumiai audit show` prints an entry in full
              ACCEPTED  sites whose update of this round counts (if the round had no
                        result: whose update was accepted)
              LATE      sites whose update of an earlier round counts in this one
              MISSING   sites that had a task but have no update that counts
              REPLAY    whether the copy has everything that `kumiai audit replay` needs

            Columns are cut to the width of the terminal; in a pipe and with --json they are complete.
            """
    )

    @OptionGroup var options: AuditOptions
    @OptionGroup var json: JSONOption

    struct Row: Encodable {
        let campaign: String
        let round: Int
        let attempt: Int
        let openedEntry: Int
        /// The entry that committed or ended the round; absent while it is open.
        let endedEntry: Int?
        let cohort: [String]
        /// All sites whose updates count: `accepted` and `late`.
        let updates: [String]
        let accepted: [String]
        let late: [String]
        let missing: [String]
        let refused: Int
        let result: String
        let model: String?
        let openedAt: String
        /// "yes", "pruned", or what is missing; empty for rounds without a result.
        let replayable: String

        var entries: String { "\(openedEntry)–\(endedEntry.map(String.init) ?? "")" }
    }

    struct Event: Encodable {
        let entry: Int
        let text: String
    }

    struct Report: Encodable {
        let rounds: [Row]
        /// Other events, which are printed as lines below the table.
        let events: [Event]
    }

    func execute() async throws {
        let copy = try options.open()
        let history = try RoundHistory(copy)
        let rows = history.rounds.map { row($0, copy) }
        if json.isOn {
            return try Report(rounds: rows, events: history.events.map { Event(entry: $0.index, text: $0.text) })
                .printJSON()
        }
        let columns: [(String, Table.Alignment)] = [
            ("CAMPAIGN", .left), ("ROUND", .right), ("ENTRIES", .left), ("OPENED", .left), ("RESULT", .left),
            ("ACCEPTED", .left), ("LATE", .left),
            ("MISSING", .left), ("REFUSED", .right), ("MODEL", .left), ("REPLAY", .left),
        ]
        var table = Table(columns)
        for row in rows {
            let round = row.attempt == 1 ? "\(row.round)" : "\(row.round).\(row.attempt)"
            let model = row.model.map { String($0.prefix(12)) } ?? "–"
            table.append([
                row.campaign, round, row.entries, row.openedAt, row.result, text(row.accepted), text(row.late),
                text(row.missing), "\(row.refused)", model,
                row.replayable,
            ])
        }
        table.print()
        for (index, event) in history.events { Terminal.print("entry \(index): \(event)") }
    }

    private func row(_ record: RoundHistory.Record, _ copy: LedgerCopy) -> Row {
        Row(
            campaign: record.campaign.text,
            round: record.task.key.round,
            attempt: record.task.key.attempt,
            openedEntry: record.openedEntry,
            endedEntry: record.endedEntry,
            cohort: record.cohort.map(\.description),
            updates: record.sites.map(\.description),
            accepted: record.timely.map(\.description),
            late: record.late.map(\.description),
            missing: record.missing.map(\.description),
            refused: record.refusals.count,
            result: result(record),
            model: record.commit?.result.model.hex,
            openedAt: Format.time(record.openedAt),
            replayable: record.replayability(in: copy.blobs).description
        )
    }

    private func result(_ record: RoundHistory.Record) -> String {
        if record.commit != nil { return "committed" }
        return record.abandoned.map { "abandoned: \($0)" } ?? record.ended.map { "ended with its campaign: \($0)" }
            ?? "open"
    }

    private func text(_ sites: [String]) -> String {
        sites.isEmpty ? "–" : "\(sites.count): \(sites.joined(separator: ", "))"
    }
}
