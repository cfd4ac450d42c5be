import ArgumentParser
import Federation

struct CampaignStatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the campaign's progress; with --watch, until it ends.",
        discussion: """
            With --watch, a terminal shows a table that is updated in place, and a pipe gets one line for each \
            committed round. If the coordinator cannot be reached for a while, for example during its restart, the \
            command says so and keeps trying.

            Exits with 1 if the campaign stopped before its last round.
            """
    )

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    @Flag(help: "Follow the campaign until it ends.")
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
        for problem in report.problems { Terminal.print("trouble: \(problem)") }
        guard !watch else { return }
        SiteTable.table(report).print()
        for line in SiteTable.problems(report) { Terminal.print(line) }
    }
}
