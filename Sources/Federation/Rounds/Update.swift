/// A site's statement about its update. The site signs its bytes; they are stored as they came.
public struct UpdateManifest: Equatable, Sendable {
    public var campaign: CampaignID
    public var key: RoundKey
    public var site: SiteID
    /// The global model that the update was trained from.
    public var model: Digest
    /// The adapter beside it; `nil` without LoRA, and in its first round.
    public var adapter: Digest?
    /// Local minus global weights, a safetensors file in the layout of the base.
    public var update: Digest
    public var updateByteCount: UInt64
    public var layout: Digest
    public var samples: UInt32
    public var localLoss: Double
    public var createdAt: Timestamp

    public init(
        campaign: CampaignID,
        key: RoundKey,
        site: SiteID,
        model: Digest,
        adapter: Digest? = nil,
        update: Digest,
        updateByteCount: UInt64,
        layout: Digest,
        samples: UInt32,
        localLoss: Double,
        createdAt: Timestamp
    ) {
        self.campaign = campaign
        self.key = key
        self.site = site
        self.model = model
        self.adapter = adapter
        self.update = update
        self.updateByteCount = updateByteCount
        self.layout = layout
        self.samples = samples
        self.localLoss = localLoss
        self.createdAt = createdAt
    }
}

/// A manifest with the bytes that were signed, the signature and the certificate that made it.
public struct SignedUpdate: Equatable, Sendable {
    public let manifest: UpdateManifest
    public let manifestBytes: [UInt8]
    /// DER ECDSA over ``statement``.
    public let signature: [UInt8]
    /// DER leaf certificate.
    public let certificate: [UInt8]

    public init(manifest: UpdateManifest, manifestBytes: [UInt8], signature: [UInt8], certificate: [UInt8]) {
        self.manifest = manifest
        self.manifestBytes = manifestBytes
        self.signature = signature
        self.certificate = certificate
    }

    /// What is signed: the manifest's bytes behind a line that keeps them from meaning anything else.
    public var statement: [UInt8] { Self.statement(manifestBytes) }
    public static func statement(_ manifestBytes: [UInt8]) -> [UInt8] {
        Array("kumiai update v1\n".utf8) + manifestBytes
    }
}

extension SignedUpdate {
    /// Which update it is: a site has one in each attempt at a round.
    public struct Identity: Hashable, Sendable {
        public let campaign: CampaignID
        public let key: RoundKey
        public let site: SiteID
        public let update: Digest
    }

    public var identity: Identity {
        Identity(campaign: manifest.campaign, key: manifest.key, site: manifest.site, update: manifest.update)
    }
}

/// Why an update was not taken in.
public struct UpdateRefusal: Equatable, Sendable {
    public let reason: Reason
    public let detail: String

    public init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail.cut(toBytes: Self.detailBytes)
    }

    /// A detail may quote what a site sent: longer ones are cut, well below what an entry of the ledger holds.
    public static let detailBytes = 1024

    public enum Reason: String, Equatable, Sendable, CaseIterable {
        case notInCohort = "not in cohort"
        case wrongRound = "wrong round"
        case late
        case wrongBase = "wrong base"
        case wrongLayout = "wrong layout"
        case notFinite = "not finite"
        case normTooLarge = "norm too large"
        case noSamples = "no samples"
        case badSignature = "bad signature"
        case wrongSite = "wrong site"
        case duplicate
        case malformed
        case blobMissing = "blob missing"
    }
}

/// What the shell found when it looked at an update's signature and tensors.
public enum Inspection: Equatable, Sendable {
    case sound(norm: Double)
    case unsound(UpdateRefusal)
    /// The coordinator could not look: its disk failed, say. The update is not to blame.
    case unavailable(String)
}

/// An update as it reaches the round: from whom, what it says, and what was found.
public struct Submission: Equatable, Sendable {
    /// The site of the TLS certificate.
    public let sender: SiteID
    public let update: SignedUpdate
    public let inspection: Inspection

    public init(sender: SiteID, update: SignedUpdate, inspection: Inspection) {
        self.sender = sender
        self.update = update
        self.inspection = inspection
    }
}

/// The answer to a submission.
public enum SubmissionAnswer: Equatable, Sendable {
    /// The update is the ledger's entry `index`; its receipt proves it.
    case accepted(index: UInt64)
    case refused(UpdateRefusal)
    /// Not now: the site keeps the update and asks again.
    case postponed(reason: String)
}
