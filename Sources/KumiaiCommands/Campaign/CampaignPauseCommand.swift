import ArgumentParser
import Federation

struct CampaignPauseCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Pause a campaign.",
        discussion: """
            Until `kumiai campaign resume`, no round opens or closes and no update is accepted. Sites keep the updates \
            that they have trained. Every deadline moves by the length of the pause.

            Example:
              kumiai campaign pause FY2026-FY2027 --reason "maintenance"
            """
    )

    @OptionGroup var change: CampaignChangeOptions

    func execute() async throws { try await change.make(.pause) }
}
