import ArgumentParser
import Foundation

struct CampaignInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write an operator's configuration and a plan to edit.",
        discussion: """
            Example:
              kumiai campaign init alice --coordinator 127.0.0.1:7443 --base FY2026 --release FY2027 \\
                --site acme/osaka --site bolt/turin
            """)

    @Argument(help: "The operator's directory, with ca.pem, certificate.pem and key.pem.")
    var directory: String

    @Option(help: ArgumentHelp("The coordinator's address.", valueName: "host:port"))
    var coordinator: String

    @Option(help: "The registered model to start from.")
    var base: String

    @Option(help: "The release that the campaign leads to.")
    var release: String

    @Option(name: .customLong("site"), help: ArgumentHelp("A site that takes part; repeat it.", valueName: "member/site"))
    var sites: [String]

    @Option(help: "Rounds to commit.")
    var rounds = 60

    @Option(help: "Seed of the sites' training.")
    var seed = 0

    @OptionGroup var options: PlanOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let campaign: String
        let plan: String
        let configuration: String
    }

    func execute() async throws {
        _ = try Endpoint(coordinator, key: "--coordinator")
        let plan = directory + "/" + PlanFile.name
        let text = PlanFile.text(
            campaign: "\(base)-\(release)", base: base, release: release, sites: sites.sorted(), rounds: rounds, seed: seed, learning: options.learning)
        // Last year's plan, kept in silence, would be taken for this year's.
        if let kept = try? String(contentsOfFile: plan, encoding: .utf8), kept != text {
            throw UsageError("\(plan) is there already, and is another plan", hint: "open it as it is, or move it away and try again")
        }
        let configuration = directory + "/" + OperatorFile.name
        try ConfigurationWriter.write(OperatorFile.text(coordinator: coordinator), to: configuration)
        try ConfigurationWriter.write(text, to: plan)
        let campaign = try PlanFile.load(plan).campaign.text
        if json.isOn { return try Report(campaign: campaign, plan: plan, configuration: configuration).printJSON() }
        Terminal.print("next: edit \(plan), then: kumiai campaign open \(plan.shellQuoted) --config \(configuration.shellQuoted)")
    }
}
