import Federation

/// plan.toml: a campaign as an operator writes it.
struct PlanFile: Decodable {
    struct LateSection: Decodable {
        let rounds: Int
        let weight_percent: Int
    }
    struct BoundsSection: Decodable {
        let weight: Int
        let norm: Decimal
    }
    let campaign: String
    let base: String
    let release: String
    let sites: [String]
    let rounds: Int
    let quorum: Int
    let recruiting_seconds: Int
    let recruiting_deadline_seconds: Int?
    let deadline_seconds: Int
    let maximum_attempts: Int
    let extension_seconds: Int?
    let maximum_extensions: Int?
    let retention_seconds: Int?
    let late: LateSection?
    let strategy: StrategySection
    let bounds: BoundsSection
    let training: TrainingSection
    let lora: LoRASection?
    let compression: CompressionSection?

    static let name = "plan.toml"

    static func load(_ path: String) throws -> Plan { try plan(TOMLFile<PlanFile>(path)) }

    /// `path`: what messages call the text.
    static func parse(_ text: String, path: String) throws -> Plan {
        try plan(TOMLFile<PlanFile>(text: text, path: path))
    }

    private static func plan(_ file: TOMLFile<PlanFile>) throws -> Plan {
        let plan = try file.content.plan(file.path)
        try requireNone(plan.problems, of: file.path)
        return plan
    }

    /// Throws all of a plan's problems at once.
    static func requireNone(_ problems: [PlanProblem], of path: String) throws {
        guard !problems.isEmpty else { return }
        throw UsageError("\(path): " + problems.map { "\($0.key): \($0.message)" }.joined(separator: "; "))
    }

    private func plan(_ path: String) throws -> Plan {
        func wrong(_ key: String, _ message: String) -> UsageError { UsageError("\(path): \(key): \(message)") }
        guard let campaign = CampaignID(campaign) else {
            throw wrong("campaign", "expected at most 64 letters, digits, . _ -")
        }
        guard let base = ModelName(base), let release = ModelName(release) else {
            throw wrong("base, release", "expected names of at most 64 letters, digits, . _ -")
        }
        let sites = try sites.map { text in
            guard let site = SiteID(text) else { throw wrong("sites", "\"\(text)\" is not of the form member/site") }
            return site
        }
        return Plan(
            campaign: campaign,
            base: base,
            release: release,
            sites: sites.sorted(),
            rounds: rounds,
            quorum: quorum,
            recruitingSeconds: recruiting_seconds,
            recruitingDeadlineSeconds: recruiting_deadline_seconds ?? 0,
            deadlineSeconds: deadline_seconds,
            maximumAttempts: maximum_attempts,
            extensions: Extensions(seconds: extension_seconds ?? 0, maximum: maximum_extensions ?? 0),
            lateness: late.map { Lateness(rounds: $0.rounds, weightPercent: $0.weight_percent) } ?? .refused,
            retentionSeconds: retention_seconds ?? 0,
            strategy: try strategy.value(wrong),
            bounds: Bounds(weight: UInt32(clamping: bounds.weight), norm: bounds.norm.value),
            training: try training.value(lora: lora?.value(wrong), wrong),
            compression: try compression?.value(wrong) ?? .none
        )
    }

    static func text(
        campaign: String,
        base: String,
        release: String,
        sites: [String],
        rounds: Int,
        seed: Int,
        deadlineSeconds: Int = 3600,
        learning: PlanOptions.Learning = .init()
    ) -> String {
        """
        # The plan of a campaign: fixed from its first round to its last, and part of the ledger.

        campaign = \(campaign.tomlQuoted)
        # The registered model that the campaign starts from, and the release that it leads to.
        base = \(base.tomlQuoted)
        release = \(release.tomlQuoted)

        # "member/site", as in the sites' certificates, in any order.
        sites = [\(sites.map(\.tomlQuoted).joined(separator: ", "))]

        rounds = \(rounds)
        # Updates that a round needs at least: two thirds of the sites, so that one that is away does not stop the \
        others.
        quorum = \(max(1, (2 * sites.count + 2) / 3))
        # Once a quorum is present, how long a round waits for the other sites.
        recruiting_seconds = 30
        # How long a round waits for its quorum to be connected before the attempt is given up; 0 is for ever.
        recruiting_deadline_seconds = 604800
        # How long a round collects updates, and how often it may be tried.
        deadline_seconds = \(deadlineSeconds)
        maximum_attempts = 3
        # Where too few updates are in at the deadline, or the coordinator was down over it, the deadline moves by so \
        much,
        # so often in one attempt.
        extension_seconds = 600
        maximum_extensions = 1

        # How long updates are kept after their round, so that auditors can replay it; 0 is for ever. What is older goes
        # with `kumiai coordinator prune`.
        retention_seconds = 0

        # An update that comes up to so many rounds late counts in the open round, with this percentage of its weight \
        for
        # each round of its age; 0 rounds: late updates are refused.
        [late]
        rounds = 0
        weight_percent = 50

        # mean is the weighted mean of the updates.
        # fedavg: w += learning_rate * mean
        # fedavgm: m = momentum * m + mean, w += learning_rate * m
        # nesterov (DiLoCo): the same m, w += learning_rate * (mean + momentum * m); for few, long rounds 0.7 and 0.9
        # fedadam, fedyogi: adaptive; a learning_rate of about 0.01, and beta1, beta2 and tau (0.9, 0.99 and 0.001 \
        where not given)
        [strategy]
        kind = "fedavgm"
        learning_rate = 1.0
        momentum = 0.7

        [bounds]
        # Samples that a site claims above this count as this.
        weight = 10000
        # Euclidean norm of an update; larger ones are refused.
        norm = 100.0

        # What each site does in a round (AdamW).
        [training]
        # Or local_epochs: each of the site's samples so often.
        local_steps = 10
        batch = 32
        learning_rate = \(learning.rank > 0 ? "5e-3" : "1e-3")
        # The learning rate rises over the first rounds, and falls over the rounds to a fraction: linear, cosine, or \
        constant.
        schedule = "linear"
        warmup_rounds = 0
        decay_to = 0.1
        weight_decay = 1e-4
        gradient_clip = 1.0
        # FedProx: how strongly a site is held to the model that it began with; 0 is not at all.
        proximal = 0.0
        seed = \(seed)

        \(learning.sections)

        """
    }
}
