import ArgumentParser
import Federation
import Transport
import Wire

/// What `campaign stop`, `pause`, `resume` and `amend` share: the campaign, the reason, and the request.
struct CampaignChangeOptions: ParsableArguments {
    @Argument(help: "The campaign's name, as in its plan.")
    var campaign: String

    @Option(help: "Why; it stands in the ledger, auditors read it, and the sites that it concerns are told.")
    var reason: String

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let campaign: String
        let action: String
        let entry: UInt64
    }

    func validate() throws {
        guard (1...CampaignChange.reasonBytes).contains(reason.utf8.count) else {
            throw ValidationError("--reason: expected 1 to \(CampaignChange.reasonBytes) bytes")
        }
    }

    /// Asks for the change, and says that it is done as `done`.
    func request(_ action: CampaignChange.Action, done: String) async throws {
        guard let campaign = CampaignID(campaign) else {
            throw UsageError("\"\(campaign)\" is not a name of a campaign", hint: "kumiai campaign status shows it")
        }
        let change = CampaignChange(campaign: campaign, action: action, reason: reason, changedBy: "")
        guard case .recorded(let index) = try await options.ask(.changeCampaign(change)) else {
            throw TransportError(.unexpected, "the coordinator did not say whether the campaign was changed")
        }
        if json.isOn { return try Report(campaign: campaign.text, action: action.name, entry: index).printJSON() }
        Terminal.print("\(done) \(campaign) (ledger entry \(index))")
    }
}
