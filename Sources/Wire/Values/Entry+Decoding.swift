import Federation
import KumiaiProto

extension Entry {
    /// Unpacks and checks a ledger entry.
    ///
    /// - Parameter wireBytes: The entry's bytes in the ledger, at most `WireLimits.entryBytes`.
    /// - Throws: `WireError` if there are more bytes, or they are not a valid entry.
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
