import ArgumentParser
import Federation
import Wire

/// The options that `campaign stop`, `pause`, `resume` and `amend` share: the campaign and the reason.
struct CampaignChangeOptions: ParsableArguments {
    @Argument(help: "The campaign's name, as in its plan.")
    var campaign: String

    @OptionGroup var request: ReasonedRequest

    struct Report: Encodable {
        let campaign: String
        let action: String
        let entry: UInt64
    }

    /// Requests the change and reports the result.
    func make(_ action: CampaignChange.Action) async throws {
        guard let campaign = CampaignID(campaign) else {
            throw UsageError("\"\(campaign)\" is not a valid campaign name", hint: "kumiai campaign status shows it")
        }
        let change = CampaignChange(campaign: campaign, action: action, reason: request.reason, changedBy: "")
        let index = try await request.record(.changeCampaign(change))
        if request.json.isOn {
            return try Report(campaign: campaign.text, action: action.name, entry: index).printJSON()
        }
        Terminal.print("\(action.verb) \(campaign) (ledger entry \(index))")
    }
}
