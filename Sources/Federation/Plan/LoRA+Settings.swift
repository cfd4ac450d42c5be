import Settings

extension LoRA {
    /// `[lora]` of a plan.
    static let section = SettingSection<LoRA>(
        "lora",
        help: "Adapters in place of the whole model."
    ) {
        Setting(
            "rank",
            \.rank,
            .integer(1...PlanLimits.loraRank),
            help: "Components of the global adapter; a site may train fewer."
        )
        Setting(
            "alpha",
            \.alpha,
            .number(.above(0, to: 65_536)),
            help: "The adapter is scaled by alpha / rank."
        )
        Setting(
            "targets",
            \.targets,
            .texts("1 to \(PlanLimits.loraTargets) names of modules, each once") { names in
                (1...PlanLimits.loraTargets).contains(names.count) && Set(names).count == names.count
                    && names.allSatisfy { !$0.isEmpty && $0.utf8.count <= 256 }
            },
            help: "Modules that have an adapter, by the last component of their names, as PEFT's target_modules."
        )
        Setting(
            "aggregation",
            \.aggregation,
            .choice,
            default: .exact,
            help: """
                How the sites' adapters become one: exact (FedEx-LoRA), average (FedIT), alternating (RoLoRA) or \
                frozen_a (FFA-LoRA).
                """
        )
    }

    var problems: [SettingProblem] { Self.section.problems(of: self) }

    /// What reading starts from, and what a plan without adapters shows as an example.
    static let draft = LoRA(rank: 8, alpha: 16, targets: ["qkv", "proj", "fc1", "fc2"])
}
