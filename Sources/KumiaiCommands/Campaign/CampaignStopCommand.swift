import ArgumentParser
import Federation

struct CampaignStopCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "End a campaign before its last round.",
        discussion: """
            The committed rounds are kept: `kumiai release cut NAME --round N` releases one of them, until \
            another campaign is opened. Updates of the open round do not count.

            Example:
              kumiai campaign stop FY2026-FY2027 --reason "two members have left"
            """
    )

    @OptionGroup var change: CampaignChangeOptions

    func execute() async throws { try await change.make(.stop) }
}
