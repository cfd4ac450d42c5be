import ArgumentParser
import Federation

struct CampaignStopCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "End a campaign before its plan does.",
        discussion: """
            Its committed rounds stay: `kumiai release cut NAME --round N` releases one of them, and another campaign \
            can be opened. Updates of the open round count nowhere.

            Example:
              kumiai campaign stop FY2026-FY2027 --reason "two members have left"
            """
    )

    @OptionGroup var change: CampaignChangeOptions

    func execute() async throws { try await change.make(.stop) }
}
