import ArgumentParser
import Federation

struct CampaignPauseCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let a campaign wait.",
        discussion: """
            No round opens or closes and no update is taken until `kumiai campaign resume`; sites keep what they \
            have, and every deadline moves by as long as the pause lasted.

            Example:
              kumiai campaign pause FY2026-FY2027 --reason "maintenance"
            """
    )

    @OptionGroup var change: CampaignChangeOptions

    func execute() async throws { try await change.make(.pause) }
}
