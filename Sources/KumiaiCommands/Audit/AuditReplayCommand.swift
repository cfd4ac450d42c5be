import ArgumentParser
import Audit
import Federation

struct AuditReplayCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Compute a round again from its stored updates and compare the digests.",
        discussion: "Exits with 3 where the result is not, bit for bit, the recorded one.")

    @Argument(help: "The round's number.")
    var round: Int

    @Option(help: "The campaign; the newest one where none is named.")
    var campaign: String?

    @OptionGroup var options: AuditOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let round: Int
        let updates: Int
        let recorded: String
        let computed: String
        let recordedAdapter: String?
        let computedAdapter: String?
        let identical: Bool
    }

    func execute() async throws {
        let name = try campaign.map { text in
            guard let name = CampaignID(text) else { throw UsageError("\"\(text)\" is no name of a campaign") }
            return name
        }
        let replay = try Replay.run(try LedgerCopy(directory: options.copy, authority: options.ca), round: round, campaign: name)
        let report = Report(
            round: round, updates: replay.task.contributions.count, recorded: replay.recorded.model.hex,
            computed: replay.computed.model.hex, recordedAdapter: replay.recorded.adapter?.digest.hex,
            computedAdapter: replay.computed.adapter?.digest.hex, identical: replay.isIdentical)
        if json.isOn {
            try report.printJSON()
        } else {
            Terminal.print("round \(round): \(report.updates) updates, weight \(replay.task.totalWeight), scale 2^-\(replay.task.scaleBits)")
            Terminal.print("recorded  \(report.recorded)")
            Terminal.print("computed  \(report.computed)")
            if let adapter = report.recordedAdapter { Terminal.print("adapter   recorded \(adapter)") }
            if let adapter = report.computedAdapter { Terminal.print("          computed \(adapter)") }
            Terminal.print(report.identical ? Terminal.styled("identical", .green) + ", bit for bit" : Terminal.styled("DIFFERENT", .red))
        }
        if !report.identical { throw ExitStatus.tampered }
    }
}
