import ArgumentParser
import Wire

struct CoordinatorDeclareLossCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "declare-loss",
        abstract: "Declare what a restored ledger lacks, and go on.",
        discussion: """
            A coordinator that was restored from an older backup decides nothing once a site has shown entries that \
            its ledger lacks. It takes them from the receipts of connecting sites where these suffice. Where they do \
            not, an operator declares the loss: an entry that each site's engineer accepts once (kumiai worker \
            accept-loss) and that every audit shows.

            Needs an operator's certificate.
            """
    )

    @OptionGroup var request: ReasonedRequest

    struct Report: Encodable { let entry: UInt64 }

    func execute() async throws {
        let index = try await request.record(.declareLoss(reason: request.reason))
        if request.json.isOn { return try Report(entry: index).printJSON() }
        Terminal.print("declared the loss (ledger entry \(index))")
        Terminal.print(
            """
            next, once at each site that has seen more: kumiai worker accept-loss; coordinator status says which \
            sites wait
            """
        )
    }
}
