/// What every participant agrees on before a campaign's first round; fixed until its last.
public struct Plan: Equatable, Sendable {
    public var campaign: CampaignID
    public var base: ModelName
    public var release: ModelName
    /// Digest, tensor layout and size of the base model's file; `nil` while an operator drafts the plan.
    public var model: ModelReference?
    /// Sorted, without repetition.
    public var sites: [SiteID]
    public var rounds: Int
    public var quorum: Int
    public var recruitingSeconds: Int
    public var deadlineSeconds: Int
    public var maximumAttempts: Int
    public var strategy: Strategy
    public var bounds: Bounds
    public var training: Training

    public init(
        campaign: CampaignID, base: ModelName, release: ModelName, model: ModelReference? = nil, sites: [SiteID],
        rounds: Int, quorum: Int, recruitingSeconds: Int = 30, deadlineSeconds: Int = 3600, maximumAttempts: Int = 3,
        strategy: Strategy, bounds: Bounds, training: Training
    ) {
        self.campaign = campaign
        self.base = base
        self.release = release
        self.model = model
        self.sites = sites
        self.rounds = rounds
        self.quorum = quorum
        self.recruitingSeconds = recruitingSeconds
        self.deadlineSeconds = deadlineSeconds
        self.maximumAttempts = maximumAttempts
        self.strategy = strategy
        self.bounds = bounds
        self.training = training
    }
}

/// A model's file and the layout of its tensors.
public struct ModelReference: Hashable, Sendable {
    public let digest: Digest
    public let layout: Digest
    public let byteCount: UInt64

    public init(digest: Digest, layout: Digest, byteCount: UInt64) {
        self.digest = digest
        self.layout = layout
        self.byteCount = byteCount
    }
}

/// How accepted updates become the next model.
public enum Strategy: Equatable, Sendable {
    /// w ← w + η·mean (McMahan 2017).
    case fedAvg(learningRate: Double)
    /// m ← β·m + mean; w ← w + η·m (Reddi 2021).
    case fedAvgM(learningRate: Double, momentum: Double)
}

/// What an update may be at most.
public struct Bounds: Equatable, Sendable {
    /// Samples claimed above this count as this.
    public var weight: UInt32
    /// Euclidean norm of the whole update; bounds each coordinate too.
    public var norm: Double

    public init(weight: UInt32, norm: Double) {
        self.weight = weight
        self.norm = norm
    }
}

/// What a site does in a round.
public struct Training: Equatable, Sendable {
    public var localSteps: Int
    public var batch: Int
    public var learningRate: Double
    /// The learning rate falls linearly over the rounds to this fraction.
    public var decayTo: Double
    public var weightDecay: Double
    public var gradientClip: Double
    public var seed: UInt64

    public init(
        localSteps: Int, batch: Int, learningRate: Double, decayTo: Double = 0.1, weightDecay: Double = 1e-4,
        gradientClip: Double = 1, seed: UInt64 = 0
    ) {
        self.localSteps = localSteps
        self.batch = batch
        self.learningRate = learningRate
        self.decayTo = decayTo
        self.weightDecay = weightDecay
        self.gradientClip = gradientClip
        self.seed = seed
    }

    /// The learning rate of `round` (from 1) of `rounds`.
    public func learningRate(round: Int, of rounds: Int) -> Double {
        learningRate * (1 - (1 - decayTo) * Double(round - 1) / Double(rounds))
    }
}
