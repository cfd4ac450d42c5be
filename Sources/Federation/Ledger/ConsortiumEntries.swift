/// Records that the coordinator's clock was ahead: from here on entries may be older than those before, and the
/// deadlines of an open round move back by the same amount.
public struct ClockCorrection: Equatable, Sendable {
    public let reason: String
    public let correctedBy: String

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - reason: Why: not blank, and at most ``CampaignChange/reasonBytes`` bytes.
    ///   - correctedBy: Who asked for it: `operator/<name>`.
    public init(reason: String, correctedBy: String) {
        self.reason = reason
        self.correctedBy = correctedBy
    }
}

/// Declares that entries are lost: the ledger was restored from a backup without them, and no receipts fill the gap.
public struct LossDeclaration: Equatable, Sendable {
    /// The tree head of the lost history, as a site holds it: a signed note.
    public let lostTreeHead: String
    /// The largest number of entries that the lost history and this one can share.
    public let keptEntries: UInt64
    public let reason: String
    public let declaredBy: String

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - lostTreeHead: A tree head of the lost history: a signed note.
    ///   - keptEntries: The largest number of entries that both histories can share.
    ///   - reason: Why: not blank, and at most ``CampaignChange/reasonBytes`` bytes.
    ///   - declaredBy: Who asked for it: `operator/<name>`.
    public init(lostTreeHead: String, keptEntries: UInt64, reason: String, declaredBy: String) {
        self.lostTreeHead = lostTreeHead
        self.keptEntries = keptEntries
        self.reason = reason
        self.declaredBy = declaredBy
    }
}

/// Changes the consortium's certificate authority; signed by both the old and the new one.
public struct AuthorityRotation: Equatable, Sendable {
    /// The new CA certificate in DER, and its SHA-256.
    public let authority: [UInt8]
    public let authorityDigest: Digest
    public let former: Digest
    /// The time until which certificates of the former authority are accepted.
    public let formerEnds: Timestamp
    public let formerSignature: [UInt8]
    public let newSignature: [UInt8]
    public let rotatedBy: String

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - authority: The new CA certificate in DER.
    ///   - authorityDigest: The SHA-256 of `authority`.
    ///   - former: The SHA-256 of the former CA certificate in DER.
    ///   - formerEnds: The time until which certificates of the former authority are accepted.
    ///   - formerSignature: A DER-encoded ECDSA signature over the statement, with the former CA's key.
    ///   - newSignature: The same with the new CA's key.
    ///   - rotatedBy: The principal that records it: `coordinator/<name>`.
    public init(
        authority: [UInt8],
        authorityDigest: Digest,
        former: Digest,
        formerEnds: Timestamp,
        formerSignature: [UInt8],
        newSignature: [UInt8],
        rotatedBy: String
    ) {
        self.authority = authority
        self.authorityDigest = authorityDigest
        self.former = former
        self.formerEnds = formerEnds
        self.formerSignature = formerSignature
        self.newSignature = newSignature
        self.rotatedBy = rotatedBy
    }

    /// The statement that both authorities sign.
    ///
    /// - Parameters:
    ///   - consortium: The SPIFFE trust domain.
    ///   - authority: The SHA-256 of the new CA certificate in DER.
    ///   - former: The SHA-256 of the former CA certificate in DER.
    ///   - formerEnds: The time until which certificates of the former authority are accepted.
    /// - Returns: UTF-8 text: a line that separates it from any other signed data, then a line for each parameter, with
    ///   digests in hexadecimal and the time in milliseconds.
    public static func statement(consortium: String, authority: Digest, former: Digest, formerEnds: Timestamp)
        -> [UInt8]
    {
        Array(
            "kumiai ca rotation v1\n\(consortium)\n\(authority.hex)\n\(former.hex)\n\(formerEnds.milliseconds)\n".utf8
        )
    }
}

/// An authority of the consortium, and the time until which its certificates are accepted; `nil` if until its own
/// expiry.
public struct AuthorityTerm: Equatable, Sendable {
    public let digest: Digest
    public internal(set) var end: Timestamp?

    /// Whether certificates of the authority are accepted at a time, as far as the ledger says.
    ///
    /// - Parameter time: The time of the connection or the signature.
    public func holds(at time: Timestamp) -> Bool { end.map { time < $0 } ?? true }
}
