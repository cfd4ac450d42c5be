/// One decision of the coordinator. Its bytes are a leaf of the ledger's Merkle tree.
public struct Entry: Equatable, Sendable {
    public let at: Timestamp
    public let body: Body

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - at: The time of the decision.
    ///   - body: What was decided.
    public init(at: Timestamp, _ body: Body) {
        self.at = at
        self.body = body
    }

    public enum Body: Equatable, Sendable {
        case founded(Genesis)
        /// `by` is the operator who asked for it; empty for the model of the genesis entry.
        case modelRegistered(ModelName, ModelReference, by: String)
        case campaignOpened(Plan, by: String)
        case roundOpened(RoundOpening)
        case updateAccepted(AcceptedUpdate)
        case updateRefused(RefusedUpdate)
        case roundExtended(RoundExtension)
        case roundClosed(RoundKey)
        case roundCommitted(RoundCommit)
        case roundAbandoned(RoundAbandonment)
        case campaignEnded(CampaignEnd)
        case releaseCut(ReleaseCutting)
        case updatesPruned(Pruning)
        case campaignChanged(CampaignChange)
        case clockCorrected(ClockCorrection)
        case lossDeclared(LossDeclaration)
        case authorityRotated(AuthorityRotation)
    }
}

/// The genesis entry's content: binds the log key to the consortium's certificate authority.
public struct Genesis: Equatable, Sendable {
    public let consortium: String
    public let authority: Digest
    /// The raw Ed25519 public key, 32 bytes.
    public let logKey: [UInt8]
    /// The coordinator's certificate in DER, and its signature over the statement that names the log key.
    public let coordinatorCertificate: [UInt8]
    public let logKeySignature: [UInt8]

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - consortium: The SPIFFE trust domain.
    ///   - authority: The SHA-256 of the CA certificate in DER.
    ///   - logKey: The raw Ed25519 public key, 32 bytes, with which tree heads are verified.
    ///   - coordinatorCertificate: The coordinator's leaf certificate in DER.
    ///   - logKeySignature: Its DER-encoded ECDSA signature over the statement that names the log key.
    public init(
        consortium: String,
        authority: Digest,
        logKey: [UInt8],
        coordinatorCertificate: [UInt8],
        logKeySignature: [UInt8]
    ) {
        self.consortium = consortium
        self.authority = authority
        self.logKey = logKey
        self.coordinatorCertificate = coordinatorCertificate
        self.logKeySignature = logKeySignature
    }

    /// The statement that the coordinator's certificate signs to vouch for its log key.
    ///
    /// - Parameter logKey: The raw Ed25519 public key, 32 bytes.
    /// - Returns: The key after a line that separates it from any other signed data.
    public static func logKeyStatement(_ logKey: [UInt8]) -> [UInt8] { Array("kumiai log key v1\n".utf8) + logKey }
}

/// A round and the attempt at it; both count from 1.
public struct RoundKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let round: Int
    public let attempt: Int

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - round: The round, from 1.
    ///   - attempt: The attempt at the round, from 1.
    public init(round: Int, attempt: Int) {
        self.round = round
        self.attempt = attempt
    }

    /// Whether a key precedes another: by round, then by attempt.
    ///
    /// - Parameters:
    ///   - a: The key that may precede.
    ///   - b: The key that may follow.
    public static func < (a: RoundKey, b: RoundKey) -> Bool { (a.round, a.attempt) < (b.round, b.attempt) }
    public var description: String { attempt == 1 ? "\(round)" : "\(round) (attempt \(attempt))" }
}

/// A global model, its adapter, and the state that the strategy keeps between rounds.
public struct GlobalState: Hashable, Sendable {
    public let model: Digest
    public let modelByteCount: UInt64
    /// Present between the first and the last round of a plan with LoRA. Before the first round, each site creates it
    /// from the plan's seed.
    public let adapter: BlobReference?
    public let serverState: Digest?

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - model: The SHA-256 of the model's file.
    ///   - modelByteCount: The size of the model's file in bytes.
    ///   - adapter: The adapter; `nil` without LoRA, before the first round and after the last.
    ///   - serverState: The SHA-256 of the strategy's state; `nil` before the first round and for strategies without
    ///     one.
    public init(model: Digest, modelByteCount: UInt64, adapter: BlobReference? = nil, serverState: Digest?) {
        self.model = model
        self.modelByteCount = modelByteCount
        self.adapter = adapter
        self.serverState = serverState
    }

    /// All blobs of the state.
    public var blobs: [Digest] { [model, adapter?.digest, serverState].compactMap(\.self) }
}

/// A blob and its size.
public struct BlobReference: Hashable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - digest: The SHA-256 of the blob.
    ///   - byteCount: Its size in bytes.
    public init(digest: Digest, byteCount: UInt64) {
        self.digest = digest
        self.byteCount = byteCount
    }
}

public struct RoundOpening: Equatable, Sendable {
    public let campaign: CampaignID
    public let key: RoundKey
    /// Sorted.
    public let cohort: [SiteID]
    public let model: Digest
    public let adapter: Digest?
    public let serverState: Digest?
    public let deadline: Timestamp

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign of the round.
    ///   - key: The round and the attempt at it.
    ///   - cohort: The sites that are asked, sorted and unique.
    ///   - model: The SHA-256 of the model that the round starts from.
    ///   - adapter: The SHA-256 of the adapter that it starts from; `nil` without LoRA, and in the first round.
    ///   - serverState: The SHA-256 of the strategy's state; `nil` in the first round and for strategies without one.
    ///   - deadline: The time until which updates are collected.
    public init(
        campaign: CampaignID,
        key: RoundKey,
        cohort: [SiteID],
        model: Digest,
        adapter: Digest? = nil,
        serverState: Digest?,
        deadline: Timestamp
    ) {
        self.campaign = campaign
        self.key = key
        self.cohort = cohort
        self.model = model
        self.adapter = adapter
        self.serverState = serverState
        self.deadline = deadline
    }
}

public struct AcceptedUpdate: Equatable, Sendable {
    public let update: SignedUpdate
    /// The number of samples, at most the plan's bound.
    public let weight: UInt32
    public let norm: Double

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - update: The update as the site signed it.
    ///   - weight: Its weight: the number of samples, at most the plan's bound, and discounted if it is late.
    ///   - norm: Its Euclidean norm, at most the plan's bound.
    public init(update: SignedUpdate, weight: UInt32, norm: Double) {
        self.update = update
        self.weight = weight
        self.norm = norm
    }
}

public struct RefusedUpdate: Equatable, Sendable {
    public let site: SiteID
    public let key: RoundKey
    public let digest: Digest?
    public let refusal: UpdateRefusal

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - site: The site that sent the update.
    ///   - key: The round and attempt that its manifest names.
    ///   - digest: The SHA-256 of the update's file; `nil` if it is not known.
    ///   - refusal: Why it was refused.
    public init(site: SiteID, key: RoundKey, digest: Digest?, refusal: UpdateRefusal) {
        self.site = site
        self.key = key
        self.digest = digest
        self.refusal = refusal
    }
}

public struct RoundCommit: Equatable, Sendable {
    public let key: RoundKey
    public let result: GlobalState
    /// Values were rounded to multiples of 2^-scaleBits before they were summed.
    public let scaleBits: Int
    public let totalWeight: UInt64

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - key: The round and the attempt that succeeded.
    ///   - result: The state that the round results in.
    ///   - scaleBits: Values were rounded to multiples of 2^-scaleBits before they were summed.
    ///   - totalWeight: The sum of the weights of the round's updates.
    public init(key: RoundKey, result: GlobalState, scaleBits: Int, totalWeight: UInt64) {
        self.key = key
        self.result = result
        self.scaleBits = scaleBits
        self.totalWeight = totalWeight
    }
}

/// An extension of a deadline, as the plan allows.
public struct RoundExtension: Equatable, Sendable {
    public let key: RoundKey
    public let deadline: Timestamp
    public let reason: String

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - key: The round and the attempt at it.
    ///   - deadline: The new deadline.
    ///   - reason: Why it was extended, in words.
    public init(key: RoundKey, deadline: Timestamp, reason: String) {
        self.key = key
        self.deadline = deadline
        self.reason = reason
    }
}

/// A failed attempt at a round; the updates that it accepted count in the next attempt.
public struct RoundAbandonment: Equatable, Sendable {
    public let key: RoundKey
    public let reason: String
    /// Sites whose updates cannot be used any more, because the blob is damaged, and are asked for again.
    public let without: [SiteID]

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - key: The round and the attempt that failed.
    ///   - reason: Why it failed, in words.
    ///   - without: Sites whose updates cannot be used any more and are asked for again.
    public init(key: RoundKey, reason: String, without: [SiteID] = []) {
        self.key = key
        self.reason = reason
        self.without = without
    }
}

/// The end of a retention period: the updates and models of these rounds need not be kept any more.
public struct Pruning: Equatable, Sendable {
    public let campaign: CampaignID
    /// The newest committed round that is pruned, together with all before it.
    public let throughRound: Int
    public let prunedBy: String

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign of the rounds.
    ///   - throughRound: The newest round that is pruned, together with all before it.
    ///   - prunedBy: Who asked for it: `operator/<name>`.
    public init(campaign: CampaignID, throughRound: Int, prunedBy: String) {
        self.campaign = campaign
        self.throughRound = throughRound
        self.prunedBy = prunedBy
    }
}

public struct CampaignEnd: Equatable, Sendable {
    public let campaign: CampaignID
    public let completed: Bool
    public let reason: String
    public let model: Digest

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign that ends.
    ///   - completed: Whether all its rounds are committed.
    ///   - reason: Why it ends, in words.
    ///   - model: The SHA-256 of the model of its last commit, or of its base if there is none.
    public init(campaign: CampaignID, completed: Bool, reason: String, model: Digest) {
        self.campaign = campaign
        self.completed = completed
        self.reason = reason
        self.model = model
    }
}

public struct ReleaseCutting: Equatable, Sendable {
    public let name: ModelName
    public let campaign: CampaignID
    public let model: ModelReference
    public let cutBy: String
    /// The committed round whose result is released; `nil` for the last round of a completed campaign.
    public let round: Int?

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - name: The name of the release.
    ///   - campaign: The campaign that it comes from.
    ///   - model: The model that is released.
    ///   - cutBy: Who asked for it: `operator/<name>`.
    ///   - round: The committed round whose result is released; `nil` for the last round of a completed campaign.
    public init(name: ModelName, campaign: CampaignID, model: ModelReference, cutBy: String, round: Int? = nil) {
        self.name = name
        self.campaign = campaign
        self.model = model
        self.cutBy = cutBy
        self.round = round
    }
}
