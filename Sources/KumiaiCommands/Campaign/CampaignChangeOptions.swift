import ArgumentParser
import Federation
import Wire

/// What `campaign stop`, `pause`, `resume` and `amend` share: the campaign, the reason, and the request.
struct CampaignChangeOptions: ParsableArguments {
    @Argument(help: "The campaign's name, as in its plan.")
    var campaign: String

    @OptionGroup var request: ReasonedRequest

    struct Report: Encodable {
        let campaign: String
        let action: String
        let entry: UInt64
    }

    /// Asks for the change, and says that it is done.
    func make(_ action: CampaignChange.Action) async throws {
        guard let campaign = CampaignID(campaign) else {
            throw UsageError("\"\(campaign)\" is not a name of a campaign", hint: "kumiai campaign status shows it")
        }
        let change = CampaignChange(campaign: campaign, action: action, reason: request.reason, changedBy: "")
        let index = try await request.record(.changeCampaign(change))
        if request.json.isOn {
            return try Report(campaign: campaign.text, action: action.name, entry: index).printJSON()
        }
        Terminal.print("\(action.verb) \(campaign) (ledger entry \(index))")
    }
}
