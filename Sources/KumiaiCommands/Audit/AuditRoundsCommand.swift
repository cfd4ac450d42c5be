import ArgumentParser
import Audit
import Federation

struct AuditRoundsCommand: Command {
    static let configuration = CommandConfiguration(commandName: "rounds", abstract: "List every round: who was asked, who sent, what came of it.")

    @OptionGroup var options: AuditOptions
    @OptionGroup var json: JSONOption

    struct Row: Encodable {
        let campaign: String
        let round: Int
        let attempt: Int
        let cohort: [String]
        let updates: [String]
        let refused: Int
        let result: String
        let model: String?
        let openedAt: String
        /// yes, pruned, or what is missing; empty for rounds without a result.
        let replayable: String
    }

    func execute() async throws {
        let copy = try LedgerCopy(directory: options.copy, authority: options.ca)
        let rows = try RoundHistory(copy).rounds.map { record in
            Row(
                campaign: record.campaign.text, round: record.task.key.round, attempt: record.task.key.attempt,
                cohort: record.cohort.map(\.description), updates: record.sites.map(\.description),
                refused: record.refusals.count,
                result: record.commit != nil ? "committed" : record.abandoned.map { "abandoned: \($0)" } ?? "open",
                model: record.commit?.result.model.hex, openedAt: Format.time(record.openedAt), replayable: record.replayability(in: copy.blobs).description)
        }
        if json.isOn { return try rows.printJSON() }
        let columns: [(String, Table.Alignment)] = [
            ("CAMPAIGN", .left), ("ROUND", .right), ("OPENED", .left), ("COHORT", .right), ("UPDATES", .right), ("REFUSED", .right), ("RESULT", .left),
            ("MODEL", .left), ("REPLAY", .left),
        ]
        var table = Table(columns)
        for row in rows {
            let round = row.attempt == 1 ? "\(row.round)" : "\(row.round).\(row.attempt)"
            let model = row.model.map { String($0.prefix(12)) } ?? "–"
            table.append([
                row.campaign, round, row.openedAt, "\(row.cohort.count)", "\(row.updates.count)", "\(row.refused)", row.result, model, row.replayable,
            ])
        }
        table.print()
    }
}
