import ArgumentParser
import Federation

struct CampaignStatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how far the campaign is; with --watch, until it ends.",
        discussion: """
            With --watch the table is drawn over in the window, and a pipe gets a line for each committed round. \
            Where the coordinator cannot be reached later, such as while it is started again, it says so and goes on \
            trying.

            Ends with 1 if the campaign stopped before its last round.
            """
    )

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    @Flag(help: "Follow the campaign to its end.")
    var watch = false

    func execute() async throws {
        var report = try await options.status()
        guard report.campaign != nil else {
            throw UsageError(
                "no campaign has been opened",
                code: ExitStatus.failed,
                hint: "kumiai campaign open plan.toml"
            )
        }
        if watch {
            report = try await CampaignWatch(options: options, output: json.isOn ? .standardError : .standardOutput)
                .follow(report)
        }
        guard let campaign = report.campaign else { return }
        if json.isOn { try StatusOutput(report).printJSON() } else { show(report, campaign) }
        if campaign.phase == "stopped" { throw ExitStatus.failed }
    }

    private func show(_ report: StatusReport, _ campaign: CampaignReport) {
        for line in CampaignText.lines(campaign, now: report.time) { Terminal.print(line) }
        for trouble in report.troubles { Terminal.print("trouble: \(trouble)") }
        guard !watch else { return }
        SiteTable.table(report).print()
        for line in SiteTable.troubles(report) { Terminal.print(line) }
    }
}
