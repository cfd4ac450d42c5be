import Federation
import KumiaiProto

extension UpdateManifest {
    /// The bytes that a site signs.
    public var wireBytes: [UInt8] {
        let arena = Arena()
        let message = arena.make(kumiai__v1__update_manifest__init) { m in
            m.campaign = arena.string(campaign.text)
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.site = arena.string(site.description)
            m.model_digest = arena.bytes(model)
            m.adapter_digest = arena.bytes(adapter)
            m.update_digest = arena.bytes(update)
            m.update_bytes = updateByteCount
            m.layout_digest = arena.bytes(layout)
            m.samples = samples
            m.local_loss = localLoss
            m.created_at_ms = createdAt.milliseconds
        }
        return PackedMessage(arena, message).bytes
    }

    /// Unpacks and checks a manifest.
    ///
    /// - Parameter wireBytes: The bytes that the site signed.
    /// - Throws: `WireError` if they are not a valid manifest.
    public init(wireBytes: [UInt8]) throws {
        self = try wireBytes.withUnsafeBytes { buffer in
            try Unpacker.unpack(buffer, as: "UpdateManifest", kumiai__v1__update_manifest__unpack) { pointer in
                let m = pointer.pointee
                return UpdateManifest(
                    campaign: try Field.name(m.campaign, "manifest.campaign"),
                    key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
                    site: try Field.site(m.site, "manifest.site"),
                    model: try Field.digest(m.model_digest, "manifest.model_digest"),
                    adapter: try Field.optionalDigest(m.adapter_digest, "manifest.adapter_digest"),
                    update: try Field.digest(m.update_digest, "manifest.update_digest"),
                    updateByteCount: m.update_bytes,
                    layout: try Field.digest(m.layout_digest, "manifest.layout_digest"),
                    samples: m.samples,
                    localLoss: try Field.finite(m.local_loss, "manifest.local_loss"),
                    createdAt: Timestamp(milliseconds: m.created_at_ms)
                )
            }
        }
    }
}

extension SignedUpdate {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__SignedUpdate> {
        arena.make(kumiai__v1__signed_update__init) { m in
            m.manifest = arena.bytes(manifestBytes)
            m.signature = arena.bytes(signature)
            m.certificate = arena.bytes(certificate)
        }
    }

    init(_ m: Kumiai__V1__SignedUpdate) throws {
        let manifest = try Field.bytes(m.manifest, "update.manifest", atMost: WireLimits.manifestBytes)
        self.init(
            manifest: try UpdateManifest(wireBytes: manifest),
            manifestBytes: manifest,
            signature: try Field.bytes(m.signature, "update.signature", atMost: WireLimits.signatureBytes),
            certificate: try Field.bytes(m.certificate, "update.certificate", atMost: WireLimits.certificateBytes)
        )
    }

    /// The message as bytes, for the worker's outbox.
    public var wireBytes: [UInt8] {
        let arena = Arena()
        return PackedMessage(arena, packed(in: arena)).bytes
    }

    /// Unpacks and checks a signed update. The signature is not verified.
    ///
    /// - Parameter wireBytes: The message as bytes, as the worker's outbox has it.
    /// - Throws: `WireError` if they are not a valid message, or its manifest is not valid.
    public init(wireBytes: [UInt8]) throws {
        self = try wireBytes.withUnsafeBytes { buffer in
            try Unpacker.unpack(buffer, as: "SignedUpdate", kumiai__v1__signed_update__unpack) {
                try SignedUpdate($0.pointee)
            }
        }
    }
}

extension UpdateRefusal.Reason {
    private static let numbers: [(Self, Kumiai__V1__RefusalReason)] = [
        (.notInCohort, KUMIAI__V1__REFUSAL_REASON__NOT_IN_COHORT),
        (.wrongRound, KUMIAI__V1__REFUSAL_REASON__WRONG_ROUND),
        (.late, KUMIAI__V1__REFUSAL_REASON__LATE), (.wrongBase, KUMIAI__V1__REFUSAL_REASON__WRONG_BASE),
        (.wrongLayout, KUMIAI__V1__REFUSAL_REASON__WRONG_LAYOUT), (.notFinite, KUMIAI__V1__REFUSAL_REASON__NOT_FINITE),
        (.normTooLarge, KUMIAI__V1__REFUSAL_REASON__NORM_TOO_LARGE),
        (.noSamples, KUMIAI__V1__REFUSAL_REASON__NO_SAMPLES),
        (.badSignature, KUMIAI__V1__REFUSAL_REASON__BAD_SIGNATURE),
        (.wrongSite, KUMIAI__V1__REFUSAL_REASON__WRONG_SITE),
        (.duplicate, KUMIAI__V1__REFUSAL_REASON__DUPLICATE), (.malformed, KUMIAI__V1__REFUSAL_REASON__MALFORMED),
        (.blobMissing, KUMIAI__V1__REFUSAL_REASON__BLOB_MISSING),
    ]

    var wireValue: Kumiai__V1__RefusalReason { Self.numbers.first { $0.0 == self }!.1 }

    init(_ number: Kumiai__V1__RefusalReason) throws {
        guard let pair = Self.numbers.first(where: { $0.1 == number }) else { throw WireError("reason", "unknown") }
        self = pair.0
    }
}

extension Receipt {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Receipt> {
        arena.make(kumiai__v1__receipt__init) { m in
            m.entry_index = index
            m.entry = arena.bytes(entry)
            m.n_inclusion_proof = proof.count
            m.inclusion_proof = arena.array(proof.map { arena.bytes($0) })
            m.tree_head = arena.string(treeHead)
        }
    }

    init(_ m: Kumiai__V1__Receipt) throws {
        self.init(
            index: m.entry_index,
            entry: try Field.bytes(m.entry, "receipt.entry", atMost: WireLimits.entryBytes),
            proof: try Field.list(
                m.inclusion_proof,
                m.n_inclusion_proof,
                "receipt.inclusion_proof",
                atMost: WireLimits.proofHashes
            ) {
                try Field.digest($0, "receipt.inclusion_proof")
            },
            treeHead: try Field.text(m.tree_head, "receipt.tree_head")
        )
    }

    /// The message as bytes, as the worker stores it.
    public var wireBytes: [UInt8] {
        let arena = Arena()
        return PackedMessage(arena, packed(in: arena)).bytes
    }

    /// Unpacks and checks a receipt. Its proof and its tree head's signature are not verified.
    ///
    /// - Parameter wireBytes: The message as bytes, as the worker stores it.
    /// - Throws: `WireError` if they are not a valid message.
    public init(wireBytes: [UInt8]) throws {
        self = try wireBytes.withUnsafeBytes { buffer in
            try Unpacker.unpack(buffer, as: "Receipt", kumiai__v1__receipt__unpack) { try Receipt($0.pointee) }
        }
    }
}
