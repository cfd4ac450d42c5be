import Federation
import KumiaiProto

extension Entry {
    /// The bytes that the ledger stores and hashes.
    public var wireBytes: [UInt8] {
        let arena = Arena()
        return PackedMessage(arena, packed(in: arena)).bytes
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
}
