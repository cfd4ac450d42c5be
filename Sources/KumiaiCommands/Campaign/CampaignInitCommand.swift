import Settings
import ArgumentParser
import Federation
import Foundation

struct CampaignInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write an operator's configuration, and a plan to edit.",
        discussion: """
            If plan.toml is the plan of an earlier release, the new plan is written beside it as plan-RELEASE.toml. If \
            that file is the plan of an earlier campaign, the new plan is written as plan-CAMPAIGN.toml. An existing \
            plan is never overwritten.

            Example:
              kumiai campaign init alice --coordinator 127.0.0.1:7443 --base FY2026 \\
                --release FY2027 --site acme/osaka --site bolt/turin
            """
    )

    @Argument(help: "The operator's directory, with ca.pem, certificate.pem and key.pem.", completion: .directory)
    var directory: String

    @Option(help: ArgumentHelp("The coordinator's address.", valueName: "host:port"))
    var coordinator: String

    @Option(help: "The registered model to start from.")
    var base: String

    @Option(help: "The release that the campaign leads to.")
    var release: String

    @Option(
        help: "The campaign's name; default: BASE-RELEASE. The name of an ended campaign cannot be reused."
    )
    var campaign: String?

    @Option(
        name: .customLong("site"),
        help: ArgumentHelp("A site that takes part; may be repeated.", valueName: "member/site")
    )
    var sites: [String]

    @Option(help: "Number of rounds to commit.")
    var rounds = 60

    @Option(help: "The seed for the sites' training.")
    var seed = 0

    @OptionGroup var options: PlanOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let campaign: String
        let plan: String
        let configuration: String
        /// Whether the configuration already existed, and which options were ignored for that reason.
        let kept: Bool
        let ignored: [String]
    }

    func execute() async throws {
        let plan = try plan()
        // Before anything is written.
        try SettingProblem.requireNone(plan.problems, of: "these options")
        let text = plan.template
        let place = try PlanLocation(in: directory, for: plan, text: text)
        let file = try OperatorFile.write(to: directory, coordinator: coordinator)
        if place.isWritten {
            Terminal.printNotice("\(place.path) already exists and contains this plan")
        } else {
            try ConfigurationWriter.write(new: text, to: place.path)
        }
        if json.isOn {
            return try Report(
                campaign: plan.campaign.text,
                plan: place.path,
                configuration: file.path,
                kept: file.kept,
                ignored: file.ignored
            ).printJSON()
        }
        let path = place.path.shellQuoted
        Terminal.print("next: edit \(path), then: kumiai campaign open \(path) --config \(file.path.shellQuoted)")
    }

    private func plan() throws -> Plan {
        func name<Name>(_ option: String, _ text: String, _ parse: (String) -> Name?) throws -> Name {
            if !text.hasPrefix("-"), let name = parse(text) { return name }
            throw UsageError(
                "\(option): \"\(text)\" is not a name; expected at most 64 letters, digits, . _ -",
                hint: "neither . nor .., and not beginning with -"
            )
        }
        let base = try name("--base", base) { ModelName($0) }
        let release = try name("--release", release) { ModelName($0) }
        return Plan.initial(
            campaign: try name("--campaign", campaign ?? "\(base)-\(release)") { CampaignID($0) },
            base: base,
            release: release,
            sites: try sites.map { text in
                guard let site = SiteID(text) else {
                    throw UsageError("--site: \"\(text)\" is not of the form member/site")
                }
                return site
            },
            rounds: rounds,
            seed: UInt64(truncatingIfNeeded: seed),
            rank: options.loraRank,
            compression: options.compression
        )
    }
}
