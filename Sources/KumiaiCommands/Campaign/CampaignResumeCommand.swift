import ArgumentParser
import Federation

struct CampaignResumeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Resume a paused campaign.",
        discussion: """
            Example:
              kumiai campaign resume FY2026-FY2027 --reason "maintenance is over"
            """
    )

    @OptionGroup var change: CampaignChangeOptions

    func execute() async throws { try await change.make(.resume) }
}
