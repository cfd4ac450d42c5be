/// The plan that all participants agree on before a campaign's first round; fixed until the last, except for
/// amendments.
public struct Plan: Equatable, Sendable {
    public var campaign: CampaignID
    public var base: ModelName
    public var release: ModelName
    /// The digest, tensor layout and size of the base model's file; `nil` in an operator's draft.
    public var model: ModelReference?
    /// Sorted and unique.
    public var sites: [SiteID]
    public var rounds: Int
    public var quorum: Int
    public var recruitingSeconds: Int
    /// How long an attempt at a round waits until a quorum is connected before it is abandoned; 0 waits for ever.
    public var recruitingDeadlineSeconds: Int
    public var deadlineSeconds: Int
    public var maximumAttempts: Int
    public var extensions: Extensions
    public var staleness: StalenessPolicy
    /// How long a round's updates and models are kept after its commit, for replays; 0 keeps them for ever.
    public var retentionSeconds: Int
    public var strategy: Strategy
    public var bounds: Bounds
    public var training: Training
    /// In what form sites send what they trained.
    public var compression: Compression

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign's name.
    ///   - base: The registered model that it starts from.
    ///   - release: The name of the release that it leads to.
    ///   - model: The file of the base model; `nil` in a draft.
    ///   - sites: The sites that take part, sorted and unique.
    ///   - rounds: The number of rounds to commit.
    ///   - quorum: The smallest number of sites that open a round, and of updates that close it.
    ///   - recruitingSeconds: How long a round waits for more sites once a quorum is connected.
    ///   - recruitingDeadlineSeconds: How long an attempt waits for its quorum; 0 waits for ever.
    ///   - deadlineSeconds: How long a round collects updates.
    ///   - maximumAttempts: How many attempts at a round may be made before the campaign ends.
    ///   - extensions: How a round's deadline may be extended.
    ///   - staleness: How late updates are treated.
    ///   - retentionSeconds: How long a round's blobs are kept after its commit; 0 keeps them for ever.
    ///   - strategy: How accepted updates produce the next model.
    ///   - bounds: The upper bounds on an update.
    ///   - training: What each site trains in a round.
    ///   - compression: In what form sites send what they trained.
    public init(
        campaign: CampaignID,
        base: ModelName,
        release: ModelName,
        model: ModelReference? = nil,
        sites: [SiteID],
        rounds: Int,
        quorum: Int,
        recruitingSeconds: Int = 30,
        recruitingDeadlineSeconds: Int = 0,
        deadlineSeconds: Int = 3600,
        maximumAttempts: Int = 3,
        extensions: Extensions = .none,
        staleness: StalenessPolicy = .refused,
        retentionSeconds: Int = 0,
        strategy: Strategy,
        bounds: Bounds,
        training: Training,
        compression: Compression = .none
    ) {
        self.campaign = campaign
        self.base = base
        self.release = release
        self.model = model
        self.sites = sites
        self.rounds = rounds
        self.quorum = quorum
        self.recruitingSeconds = recruitingSeconds
        self.recruitingDeadlineSeconds = recruitingDeadlineSeconds
        self.deadlineSeconds = deadlineSeconds
        self.maximumAttempts = maximumAttempts
        self.extensions = extensions
        self.staleness = staleness
        self.retentionSeconds = retentionSeconds
        self.strategy = strategy
        self.bounds = bounds
        self.training = training
        self.compression = compression
    }
}

/// A model's file and the layout of its tensors.
public struct ModelReference: Hashable, Sendable {
    public let digest: Digest
    public let layout: Digest
    public let byteCount: UInt64

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - digest: The SHA-256 of the model's file.
    ///   - layout: The SHA-256 of the description of its tensors: names, types, shapes and order.
    ///   - byteCount: The size of the file in bytes.
    public init(digest: Digest, layout: Digest, byteCount: UInt64) {
        self.digest = digest
        self.layout = layout
        self.byteCount = byteCount
    }
}

/// How often and by how much a round's deadline may be extended, if too few updates arrived in time or the coordinator
/// was down at the deadline.
public struct Extensions: Equatable, Sendable {
    public var seconds: Int
    public var maximum: Int

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - seconds: By how many seconds one extension moves the deadline.
    ///   - maximum: The largest number of extensions in one attempt at a round.
    public init(seconds: Int, maximum: Int) {
        self.seconds = seconds
        self.maximum = maximum
    }

    public static let none = Extensions(seconds: 0, maximum: 0)
}

/// The staleness policy: how an update that arrives after its round is over is treated.
public struct StalenessPolicy: Equatable, Sendable {
    /// The largest age, in rounds, at which a late update still counts in the open round; 0 refuses late updates.
    public var rounds: Int
    /// The percentage of its weight that an update keeps for each round of its age. The polynomial and constant
    /// discounts of Xie 2019 (arXiv:1903.03934) have the same purpose; this one is exact in integers.
    public var weightPercent: Int

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - rounds: The largest age, in rounds, at which a late update counts.
    ///   - weightPercent: The percentage of its weight that an update keeps for each round of its age, 1 to 100.
    public init(rounds: Int, weightPercent: Int) {
        self.rounds = rounds
        self.weightPercent = weightPercent
    }

    public static let refused = StalenessPolicy(rounds: 0, weightPercent: 100)

    /// Returns the discounted weight of an update that is `age` rounds old; at least 1.
    ///
    /// - Parameters:
    ///   - weight: The weight that the update would have in its own round.
    ///   - age: The number of rounds by which it is late, not negative.
    public func weight(_ weight: UInt32, age: Int) -> UInt32 {
        max(1, (0..<age).reduce(weight) { rest, _ in UInt32(UInt64(rest) * UInt64(weightPercent) / 100) })
    }
}

/// Upper bounds on an update.
public struct Bounds: Equatable, Sendable {
    /// The largest number of samples that counts as weight.
    public var weight: UInt32
    /// The largest Euclidean norm of the whole update, which bounds each coordinate too.
    public var norm: Double

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - weight: The largest number of samples that counts as weight.
    ///   - norm: The largest Euclidean norm of the whole update.
    public init(weight: UInt32, norm: Double) {
        self.weight = weight
        self.norm = norm
    }
}
