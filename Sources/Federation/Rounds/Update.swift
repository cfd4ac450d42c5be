/// A site's statement about its update. The site signs the bytes, which are stored as received.
public struct UpdateManifest: Equatable, Sendable {
    public var campaign: CampaignID
    public var key: RoundKey
    public var site: SiteID
    /// The global model that the update was trained from.
    public var model: Digest
    /// The adapter that the update was trained from; `nil` without LoRA, and in the first round.
    public var adapter: Digest?
    /// Local minus global weights: a safetensors file in the layout of the base model.
    public var update: Digest
    public var updateByteCount: UInt64
    public var layout: Digest
    public var samples: UInt32
    public var localLoss: Double
    public var createdAt: Timestamp

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign that the update is for.
    ///   - key: The round and the attempt that it was trained for.
    ///   - site: The site that trained it.
    ///   - model: The SHA-256 of the model that it was trained from.
    ///   - adapter: The SHA-256 of the adapter that it was trained from; `nil` without LoRA, and in the first round.
    ///   - update: The SHA-256 of the update's file.
    ///   - updateByteCount: The size of that file in bytes.
    ///   - layout: The SHA-256 of the description of the base model's tensors.
    ///   - samples: The number of samples that the site trained on.
    ///   - localLoss: The mean loss over the local steps.
    ///   - createdAt: When the update was made, by the site's clock.
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

/// A manifest with its signed bytes, the signature, and the certificate of the signing key.
public struct SignedUpdate: Equatable, Sendable {
    public let manifest: UpdateManifest
    public let manifestBytes: [UInt8]
    /// A DER-encoded ECDSA signature over ``statement``.
    public let signature: [UInt8]
    /// The leaf certificate in DER.
    public let certificate: [UInt8]

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - manifest: The manifest that `manifestBytes` encode.
    ///   - manifestBytes: Its exact bytes, as signed.
    ///   - signature: A DER-encoded ECDSA signature over ``statement``.
    ///   - certificate: The site's leaf certificate in DER.
    public init(manifest: UpdateManifest, manifestBytes: [UInt8], signature: [UInt8], certificate: [UInt8]) {
        self.manifest = manifest
        self.manifestBytes = manifestBytes
        self.signature = signature
        self.certificate = certificate
    }

    /// The bytes to sign: the manifest's bytes after a line that separates them from any other signed data.
    public var statement: [UInt8] { Self.statement(manifestBytes) }
    /// Returns the bytes to sign: the manifest's bytes after a line that separates them from any other signed data.
    ///
    /// - Parameter manifestBytes: The encoded ``UpdateManifest``.
    public static func statement(_ manifestBytes: [UInt8]) -> [UInt8] {
        Array("kumiai update v1\n".utf8) + manifestBytes
    }
}

extension SignedUpdate {
    /// Identifies an update: a site has one for each attempt at a round.
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

/// Why an update was not accepted.
public struct UpdateRefusal: Equatable, Sendable {
    public let reason: Reason
    public let detail: String

    /// Creates a refusal.
    ///
    /// - Parameters:
    ///   - reason: The kind of reason.
    ///   - detail: The reason in words; what exceeds ``detailBytes`` is cut off.
    public init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail.cut(toBytes: Self.detailBytes)
    }

    /// The largest size of a detail, in bytes. A detail may quote what a site sent, and must fit into a ledger entry.
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

/// The result of the shell's inspection of an update's signature and tensors.
public enum Inspection: Equatable, Sendable {
    case sound(norm: Double)
    case unsound(UpdateRefusal)
    /// The coordinator could not inspect it, for example because its disk failed. The update is not at fault.
    case unavailable(String)
}

/// An update as the round receives it, with its sender and the result of its inspection.
public struct Submission: Equatable, Sendable {
    /// The site in the TLS certificate.
    public let sender: SiteID
    public let update: SignedUpdate
    public let inspection: Inspection

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - sender: The site in the TLS certificate.
    ///   - update: The update as it was received.
    ///   - inspection: The result of inspecting its signature and tensors.
    public init(sender: SiteID, update: SignedUpdate, inspection: Inspection) {
        self.sender = sender
        self.update = update
        self.inspection = inspection
    }
}

/// The answer to a submission.
public enum SubmissionAnswer: Equatable, Sendable {
    /// The update is the ledger's entry `index`; its receipt proves this.
    case accepted(index: UInt64)
    case refused(UpdateRefusal)
    /// Not now: the site keeps the update and asks again.
    case postponed(reason: String)
}
