import Settings

/// Limits on what a plan may ask for; README.md lists them.
public enum PlanLimits {
    public static let sites = 4096
    /// The total bytes of all site names and adapter targets, which must fit into one ledger entry.
    public static let nameBytes = 60_000
    public static let rounds = 100_000
    public static let seconds = 366 * 24 * 3600
    public static let attempts = 100
    public static let extensions = 100
    public static let lateRounds = 100
    public static let retentionSeconds = 20 * 366 * 24 * 3600
    public static let localSteps = 1_000_000
    public static let localEpochs = 10_000
    public static let batch = 65_536
    public static let loraRank = 1024
    public static let loraTargets = 64
    /// The coarsest rounding of values, and of products of factors, before summation: multiples of 2^-this.
    public static let coarsestScaleBits = 24
    public static let compressionBlock = 16...65_536
    /// The limit for top-k: a kept value takes 8 bytes, a float32 takes 4.
    public static let topFraction = 0.25
    public static let weight: UInt32 = 1 << 24
    /// Training computes in float32, which holds little more.
    public static let float = 1e37
    /// Smaller bounds would require a scale beyond the range of float64.
    public static let norm = 1e-9...1e6
}

extension Plan {
    /// All problems at once, so that an operator can fix them together; empty for a valid plan.
    public var problems: [SettingProblem] { Self.schema.problems(of: self) + rules + training.rules + scaleProblems }

    /// What no single range says.
    private var rules: [SettingProblem] {
        var found: [SettingProblem] = []
        func require(_ holds: Bool, _ key: String, _ message: String) {
            if !holds { found.append(SettingProblem(key: key, message: message)) }
        }
        require((1...PlanLimits.sites).contains(sites.count), "sites", "expected 1 to \(PlanLimits.sites) sites")
        require(
            nameBytes <= PlanLimits.nameBytes,
            "sites",
            """
            the names of sites and adapters' targets take \(nameBytes) bytes together; expected at most \
            \(PlanLimits.nameBytes)
            """
        )
        let repeated = zip(sites.sorted(), sites.sorted().dropFirst()).first(where: ==)?.0
        require(
            repeated == nil,
            "sites",
            "\(repeated.map(\.description) ?? "") is named more than once: name each site once"
        )
        require(repeated != nil || sites == sites.sorted(), "sites", "expected sorted names")
        // What is wrong with other quorums is said by the range of the setting.
        require(
            !(1...PlanLimits.sites).contains(quorum) || quorum <= sites.count,
            "quorum",
            "expected at least 1 and at most the number of sites, \(sites.count)"
        )
        require(
            extensions.maximum == 0 || extensions.seconds > 0,
            "extension_seconds",
            "expected at least 1, because maximum_extensions is not 0"
        )
        require(
            training.lora?.aggregation != .alternating || staleness.rounds == 0,
            "late.rounds",
            "expected 0 with alternating factors: a late update would hold the other factor"
        )
        return found
    }

    private var nameBytes: Int {
        sites.reduce(0) { $0 + $1.description.utf8.count + 2 }
            + (training.lora?.targets.reduce(0) { $0 + $1.utf8.count + 2 } ?? 0)
    }

    /// Problems of bounds that leave too few bits for the sums; empty if the bounds themselves are not valid.
    private var scaleProblems: [SettingProblem] {
        guard (1...PlanLimits.weight).contains(bounds.weight), PlanLimits.norm.contains(bounds.norm),
            (1...PlanLimits.sites).contains(sites.count)
        else {
            return []
        }
        // There can be as many late updates as timely ones.
        let cohort = 2 * sites.count
        if scaleBits(cohort: cohort) < PlanLimits.coarsestScaleBits {
            let message =
                "values would be rounded too coarsely; choose a smaller bounds.norm or a smaller bounds.weight"
            return [SettingProblem(key: "bounds.norm", message: message)]
        }
        if training.lora?.aggregation == .exact, productScaleBits(cohort: cohort) < PlanLimits.coarsestScaleBits {
            return [
                SettingProblem(
                    key: "bounds.norm",
                    message:
                        """
                        exact aggregation of adapters would round products too coarsely; choose a smaller bounds.norm \
                        or a smaller bounds.weight
                        """
                )
            ]
        }
        return []
    }
}
