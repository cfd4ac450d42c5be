import ArgumentParser
import Federation
import Transport
import Wire

struct CoordinatorCorrectClockCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "correct-clock", abstract: "Say that the coordinator's clock had been ahead.",
        discussion: """
            Entries of the ledger do not go back in time, so a coordinator whose clock is more than an hour behind its newest \
            entry decides nothing. Set the clock first. If it is right now, and was wrong when that entry was written, this says \
            so: an entry that audits show. The deadlines of an open round move back by as much.

            Needs an operator's certificate.
            """)

    @Option(help: "Why; it stands in the ledger.")
    var reason: String

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable { let entry: UInt64 }

    func validate() throws {
        guard (1...CampaignChange.reasonBytes).contains(reason.utf8.count) else {
            throw ValidationError("--reason: expected 1 to \(CampaignChange.reasonBytes) bytes")
        }
    }

    func execute() async throws {
        guard case .recorded(let index) = try await options.ask(.correctClock(reason: reason)) else {
            throw TransportError(.unexpected, "the coordinator did not answer with the entry")
        }
        if json.isOn { return try Report(entry: index).printJSON() }
        Terminal.print("corrected the clock (ledger entry \(index))")
    }
}
