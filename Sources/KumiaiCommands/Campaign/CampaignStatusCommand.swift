import ArgumentParser
import Federation

struct CampaignStatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how far the campaign is; with --watch, until it ends.")

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    @Flag(help: "Follow the campaign to its end.")
    var watch = false

    func execute() async throws {
        var report = try await options.status()
        guard report.campaign != nil else {
            throw UsageError("no campaign has been opened", hint: "kumiai campaign open plan.toml")
        }
        if watch {
            var view = LiveView(json.isOn ? .standardError : .standardOutput)
            while let campaign = report.campaign, !campaign.hasEnded {
                view.show(report)
                try await Task.sleep(for: .seconds(1))
                report = try await options.status()
            }
            view.show(report)
            view.finish()
        }
        if json.isOn { return try StatusOutput(report).printJSON() }
        guard let campaign = report.campaign else { return }
        for line in CampaignText.lines(campaign, now: report.time) { Terminal.print(line) }
        if !watch { SiteTable.table(report).print() }
        if campaign.phase == "stopped" { throw ExitStatus.failed }
    }
}
