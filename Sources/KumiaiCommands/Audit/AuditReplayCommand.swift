import ArgumentParser
import Audit

struct AuditReplayCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Compute a round again from its stored updates and compare the digests.",
        discussion: "Exits with 3 where the result is not, bit for bit, the recorded one.")

    @Argument(help: "The round's number.")
    var round: Int

    @OptionGroup var options: AuditOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let round: Int
        let updates: Int
        let recorded: String
        let computed: String
        let identical: Bool
    }

    func execute() async throws {
        let replay = try Replay.run(try LedgerCopy(directory: options.copy, authority: options.ca), round: round)
        let report = Report(
            round: round, updates: replay.task.contributions.count, recorded: replay.recorded.model.hex,
            computed: replay.computed.model.hex, identical: replay.isIdentical)
        if json.isOn {
            try report.printJSON()
        } else {
            Terminal.print("round \(round): \(report.updates) updates, weight \(replay.task.totalWeight), scale 2^-\(replay.task.scaleBits)")
            Terminal.print("recorded  \(report.recorded)")
            Terminal.print("computed  \(report.computed)")
            Terminal.print(report.identical ? Terminal.styled("identical", .green) + ", bit for bit" : Terminal.styled("DIFFERENT", .red))
        }
        if !report.identical { throw ExitStatus.tampered }
    }
}
