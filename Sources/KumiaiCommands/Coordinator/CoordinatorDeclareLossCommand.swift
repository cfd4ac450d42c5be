import ArgumentParser
import Federation
import Transport
import Wire

struct CoordinatorDeclareLossCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "declare-loss", abstract: "Declare what a restored ledger lacks, and go on.",
        discussion: """
            A coordinator that was restored from an older backup decides nothing once a site has shown entries that its ledger \
            lacks. It takes them from the receipts of connecting sites where these suffice. Where they do not, an operator \
            declares the loss: an entry that each site's engineer accepts once (kumiai worker accept-loss) and that every audit \
            shows.

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
        guard case .recorded(let index) = try await options.ask(.declareLoss(reason: reason)) else {
            throw TransportError(.unexpected, "the coordinator did not answer with the entry")
        }
        if json.isOn { return try Report(entry: index).printJSON() }
        Terminal.print("declared the loss (ledger entry \(index))")
    }
}
