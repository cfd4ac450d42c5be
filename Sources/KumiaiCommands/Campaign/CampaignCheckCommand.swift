import Contracts
import ArgumentParser
import Coordinator
import Federation
import Tensors
import Transport
import Updates

struct CampaignCheckCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a plan, and say what it asks of the sites; the plan is not sent.",
        discussion: """
            With the base model it also checks that sites can train it as the plan wants, and says how many bytes \
            they send. Where there is an operator's configuration (--config, KUMIAI_CONFIG, or operator.toml in this \
            directory), it also asks the coordinator, which refuses what it would not open, and warns of sites that \
            it has never seen: a mistyped name, say.

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
        help: ArgumentHelp("The operator's configuration, to ask the coordinator.", valueName: "file"),
        completion: .file(extensions: ["toml"])
    )
    var config: String?

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let campaign: String
        let rounds: Int
        let sites: Int
        let quorum: Int
        let strategy: String
        let compression: String
        var loraRank: Int?
        /// Of one update, and of all of them where no site misses a round.
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
            try PlanFile.requireNone(PlanFit.problems(of: plan, base: model), of: self.plan)
            // Alternating factors have two sizes.
            let (odd, even) = (updateBytes(plan, model.layout, round: 1), updateBytes(plan, model.layout, round: 2))
            report.updateBytes = UInt64(max(odd, even))
            report.campaignBytes = UInt64(plan.sites.count * (odd * ((plan.rounds + 1) / 2) + even * (plan.rounds / 2)))
        }
        report.unknownSites = try await unknownSites(plan)
        if json.isOn { return try report.printJSON() }
        show(report)
    }

    /// `nil` where the coordinator was not asked.
    private func unknownSites(_ plan: Plan) async throws -> [String]? {
        guard let config = config ?? OperatorFile.pathInEnvironment ?? OperatorFile.pathHere else {
            Terminal.note("the coordinator was not asked: no operator's configuration is named, and none is here")
            return nil
        }
        guard case .status(let status) = try await OperatorOptions.ask(.checkPlan(plan), by: config) else {
            throw TransportError(.unexpected, "the coordinator did not answer with its status")
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
                     they have not connected since it was started, and its ledger holds no update of them: are the \
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
                each update is \(what) as \(form); with --base it is checked against the model, and its bytes are \
                counted
                """
            )
        }
        Terminal.print(
            "each update is \(what) as \(form): \(Format.bytes(update)), \(Format.bytes(all)) in all from all sites"
        )
    }
}
