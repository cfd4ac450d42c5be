import Federation
import KumiaiProto

extension Entry {
    /// The bytes that the ledger stores and hashes.
    public var wireBytes: [UInt8] {
        let arena = Arena()
        return PackedMessage(arena, packed(in: arena)).bytes
    }

    public init(wireBytes: [UInt8]) throws {
        guard wireBytes.count <= WireLimits.entryBytes else {
            throw WireError("Entry", "longer than \(WireLimits.entryBytes) bytes")
        }
        self = try wireBytes.withUnsafeBytes { buffer in
            try Unpacker.unpack(buffer, as: "Entry", kumiai__v1__entry__unpack) { pointer in
                Entry(at: Timestamp(milliseconds: pointer.pointee.at_ms), try Entry.body(pointer.pointee))
            }
        }
    }

    private func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Entry> {
        arena.make(kumiai__v1__entry__init) { m in
            m.at_ms = at.milliseconds
            switch body {
            case .founded(let genesis):
                m.body_case = KUMIAI__V1__ENTRY__BODY_FOUNDED
                m.founded = genesis.packed(in: arena)
            case .modelRegistered(let name, let model, let by):
                m.body_case = KUMIAI__V1__ENTRY__BODY_MODEL_REGISTERED
                m.model_registered = arena.make(kumiai__v1__model_registered__init) {
                    $0.name = arena.string(name.text)
                    $0.digest = arena.bytes(model.digest)
                    $0.layout_digest = arena.bytes(model.layout)
                    $0.bytes = model.byteCount
                    $0.registered_by = arena.string(by)
                }
            case .campaignOpened(let plan, let by):
                m.body_case = KUMIAI__V1__ENTRY__BODY_CAMPAIGN_OPENED
                m.campaign_opened = arena.make(kumiai__v1__campaign_opened__init) {
                    $0.plan = plan.packed(in: arena)
                    $0.opened_by = arena.string(by)
                }
            case .roundOpened(let opening):
                m.body_case = KUMIAI__V1__ENTRY__BODY_ROUND_OPENED
                m.round_opened = opening.packed(in: arena)
            case .updateAccepted(let accepted):
                m.body_case = KUMIAI__V1__ENTRY__BODY_UPDATE_ACCEPTED
                m.update_accepted = arena.make(kumiai__v1__update_accepted__init) {
                    $0.update = accepted.update.packed(in: arena)
                    $0.weight = accepted.weight
                    $0.norm = accepted.norm
                }
            case .updateRefused(let refused):
                m.body_case = KUMIAI__V1__ENTRY__BODY_UPDATE_REFUSED
                m.update_refused = refused.packed(in: arena)
            case .roundClosed(let key):
                m.body_case = KUMIAI__V1__ENTRY__BODY_ROUND_CLOSED
                m.round_closed = arena.make(kumiai__v1__round_closed__init) {
                    $0.round = UInt32(clamping: key.round)
                    $0.attempt = UInt32(clamping: key.attempt)
                }
            case .roundCommitted(let commit):
                m.body_case = KUMIAI__V1__ENTRY__BODY_ROUND_COMMITTED
                m.round_committed = commit.packed(in: arena)
            case .roundExtended(let extended):
                m.body_case = KUMIAI__V1__ENTRY__BODY_ROUND_EXTENDED
                m.round_extended = arena.make(kumiai__v1__round_extended__init) {
                    $0.round = UInt32(clamping: extended.key.round)
                    $0.attempt = UInt32(clamping: extended.key.attempt)
                    $0.deadline_ms = extended.deadline.milliseconds
                    $0.reason = arena.string(extended.reason)
                }
            case .roundAbandoned(let abandonment):
                m.body_case = KUMIAI__V1__ENTRY__BODY_ROUND_ABANDONED
                m.round_abandoned = arena.make(kumiai__v1__round_abandoned__init) {
                    $0.round = UInt32(clamping: abandonment.key.round)
                    $0.attempt = UInt32(clamping: abandonment.key.attempt)
                    $0.reason = arena.string(abandonment.reason)
                    $0.n_without = abandonment.without.count
                    $0.without = arena.strings(abandonment.without.map(\.description))
                }
            case .updatesPruned(let pruning):
                m.body_case = KUMIAI__V1__ENTRY__BODY_UPDATES_PRUNED
                m.updates_pruned = arena.make(kumiai__v1__updates_pruned__init) {
                    $0.campaign = arena.string(pruning.campaign.text)
                    $0.through_round = UInt32(clamping: pruning.throughRound)
                    $0.pruned_by = arena.string(pruning.prunedBy)
                }
            case .campaignEnded(let end):
                m.body_case = KUMIAI__V1__ENTRY__BODY_CAMPAIGN_ENDED
                m.campaign_ended = arena.make(kumiai__v1__campaign_ended__init) {
                    $0.campaign = arena.string(end.campaign.text)
                    $0.completed = end.completed ? 1 : 0
                    $0.reason = arena.string(end.reason)
                    $0.model_digest = arena.bytes(end.model)
                }
            case .releaseCut(let cutting):
                m.body_case = KUMIAI__V1__ENTRY__BODY_RELEASE_CUT
                m.release_cut = cutting.packed(in: arena)
            case .campaignChanged(let change):
                m.body_case = KUMIAI__V1__ENTRY__BODY_CAMPAIGN_CHANGED
                m.campaign_changed = change.packed(in: arena)
            case .clockCorrected(let correction):
                m.body_case = KUMIAI__V1__ENTRY__BODY_CLOCK_CORRECTED
                m.clock_corrected = arena.make(kumiai__v1__clock_corrected__init) {
                    $0.corrected_by = arena.string(correction.correctedBy)
                    $0.reason = arena.string(correction.reason)
                }
            case .lossDeclared(let loss):
                m.body_case = KUMIAI__V1__ENTRY__BODY_LOSS_DECLARED
                m.loss_declared = loss.packed(in: arena)
            case .authorityRotated(let rotation):
                m.body_case = KUMIAI__V1__ENTRY__BODY_AUTHORITY_ROTATED
                m.authority_rotated = rotation.packed(in: arena)
            }
        }
    }

    private static func body(_ m: Kumiai__V1__Entry) throws -> Body {
        switch m.body_case {
        case KUMIAI__V1__ENTRY__BODY_FOUNDED:
            return .founded(try Genesis(try Field.present(m.founded, "founded").pointee))
        case KUMIAI__V1__ENTRY__BODY_MODEL_REGISTERED:
            let model = try Field.present(m.model_registered, "model_registered").pointee
            return .modelRegistered(
                try Field.name(model.name, "model.name"),
                ModelReference(
                    digest: try Field.digest(model.digest, "model.digest"),
                    layout: try Field.digest(model.layout_digest, "model.layout_digest"),
                    byteCount: model.bytes
                ),
                by: try Field.text(model.registered_by, "model.registered_by")
            )
        case KUMIAI__V1__ENTRY__BODY_CAMPAIGN_OPENED:
            let opened = try Field.present(m.campaign_opened, "campaign_opened").pointee
            return .campaignOpened(
                try Plan(try Field.present(opened.plan, "campaign_opened.plan").pointee),
                by: try Field.text(opened.opened_by, "campaign_opened.opened_by")
            )
        case KUMIAI__V1__ENTRY__BODY_ROUND_OPENED:
            return .roundOpened(try RoundOpening(try Field.present(m.round_opened, "round_opened").pointee))
        case KUMIAI__V1__ENTRY__BODY_UPDATE_ACCEPTED:
            let accepted = try Field.present(m.update_accepted, "update_accepted").pointee
            return .updateAccepted(
                AcceptedUpdate(
                    update: try SignedUpdate(try Field.present(accepted.update, "update_accepted.update").pointee),
                    weight: accepted.weight,
                    norm: try Field.finite(accepted.norm, "update_accepted.norm")
                )
            )
        case KUMIAI__V1__ENTRY__BODY_UPDATE_REFUSED:
            return .updateRefused(try RefusedUpdate(try Field.present(m.update_refused, "update_refused").pointee))
        case KUMIAI__V1__ENTRY__BODY_ROUND_CLOSED:
            let closed = try Field.present(m.round_closed, "round_closed").pointee
            return .roundClosed(RoundKey(round: Int(closed.round), attempt: Int(closed.attempt)))
        case KUMIAI__V1__ENTRY__BODY_ROUND_COMMITTED:
            return .roundCommitted(try RoundCommit(try Field.present(m.round_committed, "round_committed").pointee))
        case KUMIAI__V1__ENTRY__BODY_ROUND_ABANDONED:
            let abandoned = try Field.present(m.round_abandoned, "round_abandoned").pointee
            return .roundAbandoned(
                RoundAbandonment(
                    key: RoundKey(round: Int(abandoned.round), attempt: Int(abandoned.attempt)),
                    reason: try Field.text(abandoned.reason, "round_abandoned.reason"),
                    without: try Field.list(
                        abandoned.without,
                        abandoned.n_without,
                        "round_abandoned.without",
                        atMost: PlanLimits.sites
                    ) {
                        try Field.site($0, "round_abandoned.without")
                    }
                )
            )
        case KUMIAI__V1__ENTRY__BODY_ROUND_EXTENDED:
            let extended = try Field.present(m.round_extended, "round_extended").pointee
            return .roundExtended(
                RoundExtension(
                    key: RoundKey(round: Int(extended.round), attempt: Int(extended.attempt)),
                    deadline: Timestamp(milliseconds: extended.deadline_ms),
                    reason: try Field.text(extended.reason, "round_extended.reason")
                )
            )
        case KUMIAI__V1__ENTRY__BODY_UPDATES_PRUNED:
            let pruned = try Field.present(m.updates_pruned, "updates_pruned").pointee
            return .updatesPruned(
                Pruning(
                    campaign: try Field.name(pruned.campaign, "updates_pruned.campaign"),
                    throughRound: Int(pruned.through_round),
                    prunedBy: try Field.text(pruned.pruned_by, "updates_pruned.pruned_by")
                )
            )
        case KUMIAI__V1__ENTRY__BODY_CAMPAIGN_ENDED:
            let end = try Field.present(m.campaign_ended, "campaign_ended").pointee
            return .campaignEnded(
                CampaignEnd(
                    campaign: try Field.name(end.campaign, "campaign_ended.campaign"),
                    completed: end.completed != 0,
                    reason: try Field.text(end.reason, "campaign_ended.reason"),
                    model: try Field.digest(end.model_digest, "campaign_ended.model_digest")
                )
            )
        case KUMIAI__V1__ENTRY__BODY_RELEASE_CUT:
            return .releaseCut(try ReleaseCutting(try Field.present(m.release_cut, "release_cut").pointee))
        case KUMIAI__V1__ENTRY__BODY_CAMPAIGN_CHANGED:
            return .campaignChanged(
                try CampaignChange(try Field.present(m.campaign_changed, "campaign_changed").pointee)
            )
        case KUMIAI__V1__ENTRY__BODY_CLOCK_CORRECTED:
            let correction = try Field.present(m.clock_corrected, "clock_corrected").pointee
            return .clockCorrected(
                ClockCorrection(
                    reason: try Field.text(correction.reason, "clock_corrected.reason"),
                    correctedBy: try Field.text(correction.corrected_by, "clock_corrected.corrected_by")
                )
            )
        case KUMIAI__V1__ENTRY__BODY_LOSS_DECLARED:
            return .lossDeclared(try LossDeclaration(try Field.present(m.loss_declared, "loss_declared").pointee))
        case KUMIAI__V1__ENTRY__BODY_AUTHORITY_ROTATED:
            return .authorityRotated(
                try AuthorityRotation(try Field.present(m.authority_rotated, "authority_rotated").pointee)
            )
        default: throw WireError("Entry", "unknown kind")
        }
    }
}

extension Genesis {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Founded> {
        arena.make(kumiai__v1__founded__init) { m in
            m.consortium = arena.string(consortium)
            m.ca_digest = arena.bytes(authority)
            m.log_key = arena.bytes(logKey)
            m.coordinator_certificate = arena.bytes(coordinatorCertificate)
            m.log_key_signature = arena.bytes(logKeySignature)
        }
    }

    fileprivate init(_ m: Kumiai__V1__Founded) throws {
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

extension RoundOpening {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__RoundOpened> {
        arena.make(kumiai__v1__round_opened__init) { m in
            m.campaign = arena.string(campaign.text)
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.n_cohort = cohort.count
            m.cohort = arena.strings(cohort.map(\.description))
            m.model_digest = arena.bytes(model)
            m.adapter_digest = arena.bytes(adapter)
            m.server_state_digest = arena.bytes(serverState)
            m.deadline_ms = deadline.milliseconds
        }
    }

    fileprivate init(_ m: Kumiai__V1__RoundOpened) throws {
        self.init(
            campaign: try Field.name(m.campaign, "round_opened.campaign"),
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            cohort: try Field.list(m.cohort, m.n_cohort, "round_opened.cohort", atMost: PlanLimits.sites) {
                try Field.site($0, "round_opened.cohort")
            },
            model: try Field.digest(m.model_digest, "round_opened.model_digest"),
            adapter: try Field.optionalDigest(m.adapter_digest, "round_opened.adapter_digest"),
            serverState: try Field.optionalDigest(m.server_state_digest, "round_opened.server_state_digest"),
            deadline: Timestamp(milliseconds: m.deadline_ms)
        )
    }
}

extension RefusedUpdate {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__UpdateRefused> {
        arena.make(kumiai__v1__update_refused__init) { m in
            m.site = arena.string(site.description)
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.update_digest = arena.bytes(digest)
            m.reason = refusal.reason.wireValue
            m.detail = arena.string(refusal.detail)
        }
    }

    fileprivate init(_ m: Kumiai__V1__UpdateRefused) throws {
        self.init(
            site: try Field.site(m.site, "update_refused.site"),
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            digest: try Field.optionalDigest(m.update_digest, "update_refused.update_digest"),
            refusal: UpdateRefusal(
                try UpdateRefusal.Reason(m.reason),
                try Field.text(m.detail, "update_refused.detail")
            )
        )
    }
}

extension RoundCommit {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__RoundCommitted> {
        arena.make(kumiai__v1__round_committed__init) { m in
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.model_digest = arena.bytes(result.model)
            m.model_bytes = result.modelByteCount
            m.adapter_digest = arena.bytes(result.adapter?.digest)
            m.adapter_bytes = result.adapter?.byteCount ?? 0
            m.server_state_digest = arena.bytes(result.serverState)
            m.scale_bits = UInt32(clamping: scaleBits)
            m.total_weight = totalWeight
        }
    }

    fileprivate init(_ m: Kumiai__V1__RoundCommitted) throws {
        self.init(
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            result: GlobalState(
                model: try Field.digest(m.model_digest, "round_committed.model_digest"),
                modelByteCount: m.model_bytes,
                adapter: try Field.optionalDigest(m.adapter_digest, "round_committed.adapter_digest").map {
                    BlobReference(digest: $0, byteCount: m.adapter_bytes)
                },
                serverState: try Field.optionalDigest(m.server_state_digest, "round_committed.server_state_digest")
            ),
            scaleBits: Int(m.scale_bits),
            totalWeight: m.total_weight
        )
    }
}

extension ReleaseCutting {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__ReleaseCut> {
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

    fileprivate init(_ m: Kumiai__V1__ReleaseCut) throws {
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
