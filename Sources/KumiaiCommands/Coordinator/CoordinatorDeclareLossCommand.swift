import ArgumentParser
import Wire

struct CoordinatorDeclareLossCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "declare-loss",
        abstract: "Declare that a restored ledger lacks entries, so that it can continue.",
        discussion: """
            A coordinator that was restored from an older backup decides nothing after a site has shown entries that \
            its ledger lacks. If the receipts of the connecting sites contain all missing entries, it restores them \
            from the receipts. If not, an operator declares the loss with this command. The declaration is an entry \
            that each site's engineer accepts once (kumiai worker accept-loss) and that every audit shows.

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
            next, once at each site that has seen lost entries: kumiai worker accept-loss; coordinator status shows \
            which sites wait for it
            """
        )
    }
}
