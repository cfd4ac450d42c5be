import ArgumentParser
import Audit
import Federation
import Foundation

struct AuditShowCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print one entry of the ledger in full."
    )

    @Argument(help: "The entry's number; the first is 0.")
    var entry: Int

    @OptionGroup var options: AuditOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let entry: Int
        let at: String
        let kind: String
        let fields: [String: FieldValue]
        let leaf: String
    }

    func execute() async throws {
        let copy = try options.open()
        let value = try copy.entry(at: entry)
        let (kind, fields) = EntryText.describe(value), settings = EntryText.settings(of: value)
        let report = Report(
            entry: entry,
            at: Format.time(value.at),
            kind: kind,
            fields: Dictionary(
                uniqueKeysWithValues: fields.map { ($0.0, FieldValue($0.1, setting: settings[$0.0])) }
            ),
            leaf: copy.entries[entry].leaf.hex
        )
        if json.isOn { return try report.printJSON() }
        Terminal.print("\(Terminal.styled("entry \(entry)", .bold))  \(kind)  \(report.at)")
        let lines = fields + [("leaf", report.leaf)]
        let width = lines.map { $0.0.count }.max() ?? 0
        for (name, value) in lines {
            Terminal.print("  \(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(value)")
        }
    }
}
