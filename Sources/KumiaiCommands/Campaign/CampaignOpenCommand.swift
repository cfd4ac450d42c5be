import ArgumentParser
import Transport

struct CampaignOpenCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open a campaign with a plan.",
        discussion: """
            The plan is recorded in the ledger. Afterwards only the sites, the quorum and the deadlines can be changed \
            (kumiai campaign amend). Rounds begin when enough sites are connected. The command is idempotent: opening \
            the same plan again gives the same answer.

            Only the last campaign's release can be cut. If it has committed rounds but no release, no other campaign \
            is opened without --abandon-release.
            """
    )

    @Argument(help: ArgumentHelp("The plan.", valueName: "plan.toml"), completion: .file(extensions: ["toml"]))
    var plan: String

    @OptionGroup var abandonment: AbandonmentOption
    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let campaign: String
        let entry: UInt64
    }

    func execute() async throws {
        guard
            case .campaignAccepted(let campaign, let index) = try await options.ask(
                .openCampaign(try PlanFile.load(plan), abandonsRelease: abandonment.abandonRelease)
            )
        else {
            throw TransportError(.unexpected, "the coordinator's answer does not say whether the campaign is open")
        }
        if json.isOn { return try Report(campaign: campaign.text, entry: index).printJSON() }
        Terminal.print("opened \(campaign) (ledger entry \(index))")
        Terminal.print("next: kumiai campaign status --watch\(options.shellOption)")
    }
}
