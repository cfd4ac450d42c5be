import Federation
import KumiaiProto

extension Genesis {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Founded> {
        arena.make(kumiai__v1__founded__init) { m in
            m.consortium = arena.string(consortium)
            m.ca_digest = arena.bytes(authority)
            m.log_key = arena.bytes(logKey)
            m.coordinator_certificate = arena.bytes(coordinatorCertificate)
            m.log_key_signature = arena.bytes(logKeySignature)
        }
    }

    init(_ m: Kumiai__V1__Founded) throws {
        self.init(
            consortium: try Field.text(m.consortium, "founded.consortium"),
            authority: try Field.digest(m.ca_digest, "founded.ca_digest"),
            logKey: try Field.bytes(m.log_key, "founded.log_key", atMost: 32),
            coordinatorCertificate: try Field.bytes(
                m.coordinator_certificate,
                "founded.coordinator_certificate",
                atMost: WireLimits.certificateBytes
            ),
            logKeySignature: try Field.bytes(
                m.log_key_signature,
                "founded.log_key_signature",
                atMost: WireLimits.signatureBytes
            )
        )
    }
}

extension CampaignChange {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__CampaignChanged> {
        arena.make(kumiai__v1__campaign_changed__init) { m in
            m.campaign = arena.string(campaign.text)
            m.changed_by = arena.string(changedBy)
            m.reason = arena.string(reason)
            switch action {
            case .stop:
                m.action_case = KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_STOP
                m.stop = arena.make(kumiai__v1__stop__init) { _ in }
            case .pause:
                m.action_case = KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_PAUSE
                m.pause = arena.make(kumiai__v1__pause__init) { _ in }
            case .resume:
                m.action_case = KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_RESUME
                m.resume = arena.make(kumiai__v1__resume__init) { _ in }
            case .amend(let amendment):
                m.action_case = KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_AMENDMENT
                m.amendment = amendment.packed(in: arena)
            }
        }
    }

    init(_ m: Kumiai__V1__CampaignChanged) throws {
        self.init(
            campaign: try Field.name(m.campaign, "campaign_changed.campaign"),
            action: try Action(m),
            reason: try Field.text(m.reason, "campaign_changed.reason", atMost: Self.reasonBytes),
            changedBy: try Field.text(m.changed_by, "campaign_changed.changed_by")
        )
    }
}

extension CampaignChange.Action {
    fileprivate init(_ m: Kumiai__V1__CampaignChanged) throws {
        switch m.action_case {
        case KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_STOP: self = .stop
        case KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_PAUSE: self = .pause
        case KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_RESUME: self = .resume
        case KUMIAI__V1__CAMPAIGN_CHANGED__ACTION_AMENDMENT:
            self = .amend(try PlanAmendment(try Field.present(m.amendment, "campaign_changed.amendment").pointee))
        default: throw WireError("campaign_changed", "unknown action")
        }
    }
}

extension PlanAmendment {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Amendment> {
        func seconds(_ value: Int?) -> UnsafeMutablePointer<Kumiai__V1__Seconds>? {
            value.map { value in arena.make(kumiai__v1__seconds__init) { $0.seconds = UInt32(clamping: value) } }
        }
        return arena.make(kumiai__v1__amendment__init) { m in
            m.n_added_sites = addedSites.count
            m.added_sites = arena.strings(addedSites.map(\.description))
            m.n_dropped_sites = droppedSites.count
            m.dropped_sites = arena.strings(droppedSites.map(\.description))
            m.quorum = UInt32(clamping: quorum ?? 0)
            m.recruiting = seconds(recruitingSeconds)
            m.recruiting_deadline = seconds(recruitingDeadlineSeconds)
            m.deadline = seconds(deadlineSeconds)
            m.extensions = extensions.map { extensions in
                arena.make(kumiai__v1__extensions__init) {
                    $0.seconds = UInt32(clamping: extensions.seconds)
                    $0.maximum = UInt32(clamping: extensions.maximum)
                }
            }
        }
    }

    fileprivate init(_ m: Kumiai__V1__Amendment) throws {
        func sites(_ names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ field: String) throws
            -> [SiteID]
        {
            try Field.list(names, count, field, atMost: PlanLimits.sites) { try Field.site($0, field) }
        }
        self.init(
            addedSites: try sites(m.added_sites, m.n_added_sites, "amendment.added_sites"),
            droppedSites: try sites(m.dropped_sites, m.n_dropped_sites, "amendment.dropped_sites"),
            quorum: m.quorum == 0 ? nil : Int(m.quorum),
            recruitingSeconds: m.recruiting.map { Int($0.pointee.seconds) },
            recruitingDeadlineSeconds: m.recruiting_deadline.map { Int($0.pointee.seconds) },
            deadlineSeconds: m.deadline.map { Int($0.pointee.seconds) },
            extensions: m.extensions.map {
                Extensions(seconds: Int($0.pointee.seconds), maximum: Int($0.pointee.maximum))
            }
        )
    }
}

extension ReleaseCutting {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__ReleaseCut> {
        arena.make(kumiai__v1__release_cut__init) { m in
            m.name = arena.string(name.text)
            m.campaign = arena.string(campaign.text)
            m.model_digest = arena.bytes(model.digest)
            m.model_bytes = model.byteCount
            m.layout_digest = arena.bytes(model.layout)
            m.cut_by = arena.string(cutBy)
            m.round = UInt32(clamping: round ?? 0)
        }
    }

    init(_ m: Kumiai__V1__ReleaseCut) throws {
        self.init(
            name: try Field.name(m.name, "release_cut.name"),
            campaign: try Field.name(m.campaign, "release_cut.campaign"),
            model: ModelReference(
                digest: try Field.digest(m.model_digest, "release_cut.model_digest"),
                layout: try Field.digest(m.layout_digest, "release_cut.layout_digest"),
                byteCount: m.model_bytes
            ),
            cutBy: try Field.text(m.cut_by, "release_cut.cut_by"),
            round: m.round == 0 ? nil : Int(m.round)
        )
    }
}

extension LossDeclaration {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__LossDeclared> {
        arena.make(kumiai__v1__loss_declared__init) { m in
            m.lost_tree_head = arena.string(lostTreeHead)
            m.kept_entries = keptEntries
            m.declared_by = arena.string(declaredBy)
            m.reason = arena.string(reason)
        }
    }

    init(_ m: Kumiai__V1__LossDeclared) throws {
        self.init(
            lostTreeHead: try Field.text(m.lost_tree_head, "loss_declared.lost_tree_head"),
            keptEntries: m.kept_entries,
            reason: try Field.text(m.reason, "loss_declared.reason"),
            declaredBy: try Field.text(m.declared_by, "loss_declared.declared_by")
        )
    }
}

extension AuthorityRotation {
    /// The message as a separate file, signed by both authorities.
    public var wireBytes: [UInt8] {
        let arena = Arena()
        return PackedMessage(arena, packed(in: arena)).bytes
    }

    /// Unpacks and checks a rotation of the authority. The signatures are not verified.
    ///
    /// - Parameter wireBytes: The message as a separate file.
    /// - Throws: `WireError` if the bytes are not a valid message.
    public init(wireBytes: [UInt8]) throws {
        self = try wireBytes.withUnsafeBytes { buffer in
            try Unpacker.unpack(buffer, as: "AuthorityRotated", kumiai__v1__authority_rotated__unpack) {
                try AuthorityRotation($0.pointee)
            }
        }
    }

    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__AuthorityRotated> {
        arena.make(kumiai__v1__authority_rotated__init) { m in
            m.authority = arena.bytes(authority)
            m.authority_digest = arena.bytes(authorityDigest)
            m.former_digest = arena.bytes(former)
            m.former_ends_ms = formerEnds.milliseconds
            m.former_signature = arena.bytes(formerSignature)
            m.new_signature = arena.bytes(newSignature)
            m.rotated_by = arena.string(rotatedBy)
        }
    }

    init(_ m: Kumiai__V1__AuthorityRotated) throws {
        self.init(
            authority: try Field.bytes(m.authority, "authority_rotated.authority", atMost: WireLimits.certificateBytes),
            authorityDigest: try Field.digest(m.authority_digest, "authority_rotated.authority_digest"),
            former: try Field.digest(m.former_digest, "authority_rotated.former_digest"),
            formerEnds: Timestamp(milliseconds: m.former_ends_ms),
            formerSignature: try Field.bytes(
                m.former_signature,
                "authority_rotated.former_signature",
                atMost: WireLimits.signatureBytes
            ),
            newSignature: try Field.bytes(
                m.new_signature,
                "authority_rotated.new_signature",
                atMost: WireLimits.signatureBytes
            ),
            rotatedBy: try Field.text(m.rotated_by, "authority_rotated.rotated_by")
        )
    }
}
