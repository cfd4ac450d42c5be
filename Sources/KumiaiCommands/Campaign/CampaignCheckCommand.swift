import Settings
import Contracts
import ArgumentParser
import Coordinator
import Federation
import Tensors
import Transport
import Updates
import Wire

struct CampaignCheckCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a plan, and show what it requires of the sites, without opening a campaign.",
        discussion: """
            With --base, it also checks that sites can train the base model as the plan requires, and shows how many \
            bytes they will send. If there is an operator's configuration (--config, KUMIAI_CONFIG, or operator.toml \
            in this directory), it also asks the coordinator, which refuses a plan that it would not open. The \
            command then warns of sites that the coordinator has never seen, for example because of a mistyped name.

            Example:
              kumiai campaign check alice/plan.toml --base base.safetensors
            """
    )

    @Argument(help: ArgumentHelp("The plan.", valueName: "plan.toml"), completion: .file(extensions: ["toml"]))
    var plan: String

    @Option(
        help: ArgumentHelp("The base model's file.", valueName: "base.safetensors"),
        completion: .file(extensions: ["safetensors"])
    )
    var base: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The operator's configuration, used to ask the coordinator.", valueName: "file"),
        completion: .file(extensions: ["toml"])
    )
    var config: String?

    @OptionGroup var abandonment: AbandonmentOption
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let campaign: String
        let rounds: Int
        let sites: Int
        let quorum: Int
        let strategy: String
        let compression: String
        var loraRank: Int?
        /// The size of one update, and of all updates together if no site misses a round.
        var updateBytes: UInt64?
        var campaignBytes: UInt64?
        /// Sites that the coordinator has never seen; only with --config.
        var unknownSites: [String]?
    }

    func execute() async throws {
        let plan = try PlanFile.load(plan)
        var report = Report(
            campaign: plan.campaign.text,
            rounds: plan.rounds,
            sites: plan.sites.count,
            quorum: plan.quorum,
            strategy: plan.strategy.name,
            compression: plan.compression.name,
            loraRank: plan.training.lora?.rank
        )
        if let base {
            let model = try SafetensorsFile(path: base)
            try SettingProblem.requireNone(PlanCompatibility.problems(of: plan, base: model), of: self.plan)
            // With alternating factors, the updates of odd and even rounds differ in size.
            let (odd, even) = (updateBytes(plan, model.layout, round: 1), updateBytes(plan, model.layout, round: 2))
            report.updateBytes = UInt64(max(odd, even))
            report.campaignBytes = UInt64(plan.sites.count * (odd * ((plan.rounds + 1) / 2) + even * (plan.rounds / 2)))
        }
        report.unknownSites = try await unknownSites(plan)
        if json.isOn { return try report.printJSON() }
        show(report)
    }

    /// `nil` if the coordinator was not asked.
    private func unknownSites(_ plan: Plan) async throws -> [String]? {
        guard let config = config ?? OperatorFile.pathInEnvironment ?? OperatorFile.pathHere else {
            Terminal.printNotice(
                "the coordinator was not asked: found no operator's configuration; name one with --config"
            )
            return nil
        }
        let question = ClientMessage.checkPlan(plan, abandonsRelease: abandonment.abandonRelease)
        guard case .status(let status) = try await OperatorOptions.ask(question, by: config) else {
            throw TransportError(.unexpected, "the coordinator's answer is not its status")
        }
        let known = Set(status.sites.filter(\.isKnown).map(\.site))
        return plan.sites.filter { !known.contains($0) }.map(\.description)
    }

    private func updateBytes(_ plan: Plan, _ base: TensorLayout, round: Int) -> Int {
        UpdateFormat(TrainedTensors(plan.training, base: base, round: round), plan.compression).fileByteCount
    }

    private func showUnknown(_ sites: [String]) {
        guard !sites.isEmpty else { return Terminal.print("the coordinator knows all of these sites") }
        Terminal.print("warning: the coordinator has never seen \(sites.joined(separator: ", "))")
        Terminal.print(
            """
                     they have not connected since it was started, and its ledger has no updates from them: are the \
            names right?
            """
        )
    }

    private func show(_ report: Report) {
        defer { report.unknownSites.map(showUnknown) }
        Terminal.print("\(report.campaign): the plan is sound")
        Terminal.print(
            """
            \(counted(report.rounds, "round")) of \(counted(report.sites, "site")), of which \(report.quorum) must \
            take part; \(report.strategy)
            """
        )
        let what = report.loraRank.map { "an adapter of rank \($0)" } ?? "the whole model"
        let form = report.compression == "none" ? "float32" : report.compression
        guard let update = report.updateBytes, let all = report.campaignBytes else {
            return Terminal.print(
                """
                each update is \(what) as \(form); use --base to check it against the model and to count its \
                bytes
                """
            )
        }
        Terminal.print(
            "each update is \(what) as \(form): \(Format.bytes(update)), \(Format.bytes(all)) in total from all sites"
        )
    }
}
