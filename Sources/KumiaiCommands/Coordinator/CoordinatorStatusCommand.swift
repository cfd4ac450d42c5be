import ArgumentParser
import Federation

struct CoordinatorStatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what a running coordinator and every site are doing.",
        discussion: "Needs an operator's or an auditor's certificate."
    )

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    func execute() async throws {
        let report = try await options.status()
        if json.isOn { return try StatusOutput(report).printJSON() }
        Terminal.print(
            """
            \(Terminal.styled(report.consortium, .bold))  \(report.ledgerEntries) ledger entries, models: \
            \(report.models.joined(separator: ", "))
            """
        )
        for problem in report.problems { Terminal.print("trouble: \(problem)") }
        if let campaign = report.campaign {
            for line in CampaignText.lines(campaign, now: report.time) { Terminal.print(line) }
        } else {
            Terminal.print("no campaign has been opened")
        }
        if !report.sites.isEmpty { SiteTable.table(report).print() }
        for line in SiteTable.problems(report) { Terminal.print(line) }
    }
}
