/// Limits on what a plan may ask for; README.md lists them.
public enum PlanLimits {
    public static let sites = 4096
    /// Bytes of all names of sites and of adapters' targets together: an entry of the ledger holds them.
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
    /// Values, and products of factors, are rounded to multiples of 2^-this at the coarsest before they are summed.
    public static let coarsestScaleBits = 24
    public static let compressionBlock = 16...65_536
    /// Of top-k: a kept value takes 8 bytes, a float32 takes 4.
    public static let topFraction = 0.25
    public static let weight: UInt32 = 1 << 24
    /// Smaller bounds would ask for a scale that float64 does not have.
    public static let norm = 1e-9...1e6
}

/// A rule of the plan that does not hold: which key, and what is wanted.
public struct PlanProblem: Equatable, Sendable {
    public let key: String
    public let message: String

    public init(key: String, message: String) {
        self.key = key
        self.message = message
    }
}

extension Plan {
    /// All problems at once, so that an operator mends them in one go. Empty for a sound plan.
    public var problems: [PlanProblem] {
        var found: [PlanProblem] = []
        func require(_ holds: Bool, _ key: String, _ message: String) {
            if !holds { found.append(PlanProblem(key: key, message: message)) }
        }
        require((1...PlanLimits.sites).contains(sites.count), "sites", "1 to \(PlanLimits.sites) sites are wanted")
        let nameBytes = sites.reduce(0) { $0 + $1.description.utf8.count + 2 } + (training.lora?.targets.reduce(0) { $0 + $1.utf8.count + 2 } ?? 0)
        require(
            nameBytes <= PlanLimits.nameBytes, "sites",
            "the names of sites and adapters' targets take \(nameBytes) bytes together; at most \(PlanLimits.nameBytes) are taken")
        require(sites == Array(Set(sites)).sorted(), "sites", "sites must be sorted and each named once")
        require((1...PlanLimits.rounds).contains(rounds), "rounds", "1 to \(PlanLimits.rounds) rounds are wanted")
        require(quorum >= 1 && quorum <= sites.count, "quorum", "the quorum is at least 1 and at most the number of sites")
        require((0...PlanLimits.seconds).contains(recruitingSeconds), "recruiting_seconds", "0 to \(PlanLimits.seconds) is wanted")
        require(
            (0...PlanLimits.seconds).contains(recruitingDeadlineSeconds), "recruiting_deadline_seconds",
            "expected 0 to \(PlanLimits.seconds); 0 waits for ever")
        require((1...PlanLimits.seconds).contains(deadlineSeconds), "deadline_seconds", "1 to \(PlanLimits.seconds) is wanted")
        require((1...PlanLimits.attempts).contains(maximumAttempts), "maximum_attempts", "1 to \(PlanLimits.attempts) is wanted")
        require((0...PlanLimits.extensions).contains(extensions.maximum), "maximum_extensions", "0 to \(PlanLimits.extensions) is wanted")
        require((0...PlanLimits.seconds).contains(extensions.seconds), "extension_seconds", "0 to \(PlanLimits.seconds) is wanted")
        require(extensions.maximum == 0 || extensions.seconds > 0, "extension_seconds", "an extension lasts at least 1 second")
        require((0...PlanLimits.lateRounds).contains(lateness.rounds), "late.rounds", "0 to \(PlanLimits.lateRounds) is wanted")
        require((1...100).contains(lateness.weightPercent), "late.weight_percent", "1 to 100 is wanted")
        require((0...PlanLimits.retentionSeconds).contains(retentionSeconds), "retention_seconds", "0 to \(PlanLimits.retentionSeconds) is wanted")
        require((1...PlanLimits.weight).contains(bounds.weight), "bounds.weight", "1 to \(PlanLimits.weight) is wanted")
        require(PlanLimits.norm.contains(bounds.norm), "bounds.norm", "\(PlanLimits.norm.lowerBound) to \(PlanLimits.norm.upperBound) is wanted")
        require(
            training.lora?.aggregation != .alternating || lateness.rounds == 0, "late.rounds",
            "0 is wanted with alternating factors: a late update would hold the other factor")
        return found + scaleProblems + training.problems + strategy.problems
    }

    /// Of bounds that leave the sums too few bits; nothing where the bounds themselves are unsound.
    private var scaleProblems: [PlanProblem] {
        guard (1...PlanLimits.weight).contains(bounds.weight), PlanLimits.norm.contains(bounds.norm), (1...PlanLimits.sites).contains(sites.count) else {
            return []
        }
        // As many late updates as timely ones.
        let cohort = 2 * sites.count
        if scaleBits(cohort: cohort) < PlanLimits.coarsestScaleBits {
            return [PlanProblem(key: "bounds.norm", message: "a smaller one, or a smaller bounds.weight, is wanted: values would be rounded too coarsely")]
        }
        if training.lora?.aggregation == .exact, productScaleBits(cohort: cohort) < PlanLimits.coarsestScaleBits {
            return [
                PlanProblem(
                    key: "bounds.norm",
                    message: "exact aggregation of adapters needs a smaller one, or a smaller bounds.weight: products would be rounded too coarsely")
            ]
        }
        return []
    }
}
