import Settings

extension Plan: Configurable {
    public static let schema = SettingSchema<Plan>([
        namesSection, roundsSection, lateSection.of(\.staleness), Strategy.section.of(\.strategy),
        boundsSection.of(\.bounds),
        Training.section.of(\.training), LoRA.section.of(optional: \.training.lora, draft: .draft),
        Compression.section.of(\.compression) { $0 != .none },
    ])

    private static let name = "at most 64 letters, digits, . _ -, neither . nor .. and not beginning with -"

    /// A command would take a name that begins so for an option.
    private static func isPlain(_ text: String) -> Bool { !text.hasPrefix("-") }

    private static let namesSection = SettingSection<Plan> {
        Setting(
            "campaign",
            \.campaign,
            .name(name, text: { $0.text }, parse: { isPlain($0) ? CampaignID($0) : nil }),
            help: "The campaign's name."
        )
        Setting(
            "base",
            \.base,
            .name(name, text: { $0.text }, parse: { isPlain($0) ? ModelName($0) : nil }),
            help: "The registered model that the campaign starts from."
        )
        Setting(
            "release",
            \.release,
            .name(name, text: { $0.text }, parse: { isPlain($0) ? ModelName($0) : nil }),
            help: "The release that it leads to."
        )
        Setting(
            "sites",
            .names("of the form member/site", text: { $0.description }, parse: { SiteID($0) }),
            get: { $0.sites },
            set: { $0.sites = $1.sorted() },
            help: "The sites that take part, as in their certificates, in any order."
        )
    }

    private static let roundsSection = SettingSection<Plan> {
        Setting(
            "rounds",
            \.rounds,
            .integer(1...PlanLimits.rounds, unit: "rounds"),
            help: "Rounds that the campaign commits."
        )
        Setting(
            "quorum",
            \.quorum,
            .integer(1...PlanLimits.sites),
            help: "Updates that a round needs at least; at most the number of sites."
        )
        Setting(
            "recruiting_seconds",
            \.recruitingSeconds,
            .integer(0...PlanLimits.seconds),
            help: "Once a quorum is present, how long a round waits for the other sites."
        )
        Setting(
            "recruiting_deadline_seconds",
            \.recruitingDeadlineSeconds,
            .integer(0...PlanLimits.seconds),
            default: 0,
            help: "How long an attempt at a round waits for its quorum to be connected; 0 is for ever."
        )
        Setting(
            "deadline_seconds",
            \.deadlineSeconds,
            .integer(1...PlanLimits.seconds),
            help: "How long a round collects updates."
        )
        Setting(
            "maximum_attempts",
            \.maximumAttempts,
            .integer(1...PlanLimits.attempts),
            help: "How often a round may be tried."
        )
        Setting(
            "extension_seconds",
            \.extensions.seconds,
            .integer(0...PlanLimits.seconds),
            default: 0,
            help: """
                If too few updates are in at the deadline, or the coordinator was down at that time, the deadline moves \
                by so much.
                """
        )
        Setting(
            "maximum_extensions",
            \.extensions.maximum,
            .integer(0...PlanLimits.extensions),
            default: 0,
            help: "How often it may move in one attempt."
        )
        Setting(
            "retention_seconds",
            \.retentionSeconds,
            .integer(0...PlanLimits.retentionSeconds),
            default: 0,
            help: """
                How long updates are kept after their round, so that auditors can replay it; 0 is for ever. \
                `kumiai coordinator prune` removes what is older.
                """
        )
    }

    private static let lateSection = SettingSection<StalenessPolicy>(
        "late",
        help: "Updates that arrive when their round is over.",
        isOptional: true
    ) {
        Setting(
            "rounds",
            \.rounds,
            .integer(0...PlanLimits.lateRounds),
            help: "Up to so many rounds late an update counts in the open round; 0: late updates are refused."
        )
        Setting(
            "weight_percent",
            \.weightPercent,
            .integer(1...100),
            help: "What is left of its weight for each round of its age."
        )
    }

    private static let boundsSection = SettingSection<Bounds>(
        "bounds"
    ) {
        Setting(
            "weight",
            .integer(1...Int(PlanLimits.weight)),
            get: { Int($0.weight) },
            set: { $0.weight = UInt32(clamping: $1) },
            help: "Samples that a site claims above this count as this."
        )
        Setting(
            "norm",
            \.norm,
            .number(.from(PlanLimits.norm.lowerBound, to: PlanLimits.norm.upperBound)),
            help: "Euclidean norm of an update; larger ones are refused."
        )
    }

    /// What reading starts from.
    public static let draft = Plan(
        campaign: CampaignID("C")!,
        base: ModelName("B")!,
        release: ModelName("R")!,
        sites: [],
        rounds: 0,
        quorum: 0,
        strategy: .fedAvg(learningRate: 1),
        bounds: Bounds(weight: 1, norm: 1),
        training: Training(localSteps: 0, batch: 0, learningRate: 0)
    )

    /// A new campaign's plan, with what most campaigns want.
    ///
    /// - Parameters:
    ///   - campaign: The campaign's name.
    ///   - base: The registered model that it starts from.
    ///   - release: The release that it leads to.
    ///   - sites: The sites that take part, in any order.
    ///   - rounds: The number of rounds to commit.
    ///   - seed: The seed of the sites' training.
    ///   - rank: The rank of adapters; 0 to train the whole model.
    ///   - compression: The form in which updates are sent.
    ///   - deadlineSeconds: How long a round collects updates.
    /// - Returns: The plan, without a model, as an operator's draft. Its quorum is two thirds of the sites, rounded up,
    ///   at least 1.
    public static func initial(
        campaign: CampaignID,
        base: ModelName,
        release: ModelName,
        sites: [SiteID],
        rounds: Int,
        seed: UInt64,
        rank: Int = 0,
        compression: Compression.Kind = .none,
        deadlineSeconds: Int = 3600
    ) -> Plan {
        var adapter = rank > 0 ? LoRA.draft : nil
        adapter?.rank = rank
        adapter?.alpha = Double(2 * rank)
        var form = Compression.none
        form.kind = compression
        return Plan(
            campaign: campaign,
            base: base,
            release: release,
            sites: sites.sorted(),
            rounds: rounds,
            // A site that is away does not stop the others.
            quorum: max(1, (2 * sites.count + 2) / 3),
            recruitingSeconds: 30,
            recruitingDeadlineSeconds: 604_800,
            deadlineSeconds: deadlineSeconds,
            maximumAttempts: 3,
            extensions: Extensions(seconds: 600, maximum: 1),
            staleness: StalenessPolicy(rounds: 0, weightPercent: 50),
            strategy: .fedAvgM(learningRate: 1, momentum: 0.7),
            bounds: Bounds(weight: 10_000, norm: 100),
            training: Training(
                localSteps: 10,
                batch: 32,
                learningRate: rank > 0 ? 5e-3 : 1e-3,
                seed: seed,
                lora: adapter
            ),
            compression: form
        )
    }

    /// The plan as a file that an operator edits.
    public var template: String {
        var example = self
        if example.training.lora == nil { example.training.lora = .draft }
        if example.compression == .none { example.compression.kind = .int8 }
        return Self.schema.template(
            of: self,
            title: "The plan of a campaign: fixed from its first round to its last, and part of the ledger.",
            example: example
        )
    }
}
