import Federation
import KumiaiProto

extension ServerFrame {
    public var packed: PackedMessage {
        pack(kumiai__v1__server_message__init) { m, arena in
            m.in_reply_to = inReplyTo
            fill(&m, arena)
        }
    }

    private func fill(_ m: inout Kumiai__V1__ServerMessage, _ arena: Arena) {
        switch message {
        case .welcome(let welcome):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_WELCOME
            m.welcome = welcome.packed(in: arena)
        case .refusal(let refusal):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_REFUSAL
            m.refusal = arena.make(kumiai__v1__refusal__init) {
                $0.code = refusal.code.wireValue
                $0.message = arena.string(refusal.message)
                $0.hint = arena.string(refusal.hint)
            }
        case .heartbeatSeen(let time):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_HEARTBEAT_SEEN
            m.heartbeat_seen = arena.make(kumiai__v1__heartbeat_seen__init) { $0.time_ms = time.milliseconds }
        case .assignment(let assignment):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_ASSIGNMENT
            m.assignment = assignment.packed(in: arena)
        case .receipt(let receipt, let consistencyProof):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_UPDATE_ANSWER
            m.update_answer = arena.make(kumiai__v1__update_answer__init) {
                $0.kind_case = KUMIAI__V1__UPDATE_ANSWER__KIND_RECEIPT
                $0.receipt = receipt.packed(in: arena)
                $0.n_consistency_proof = consistencyProof.count
                $0.consistency_proof = arena.array(consistencyProof.map { arena.bytes($0) })
            }
        case .updateRefused(let refusal):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_UPDATE_ANSWER
            m.update_answer = arena.make(kumiai__v1__update_answer__init) {
                $0.kind_case = KUMIAI__V1__UPDATE_ANSWER__KIND_REFUSAL
                $0.refusal = arena.make(kumiai__v1__update_refusal__init) {
                    $0.reason = refusal.reason.wireValue
                    $0.detail = arena.string(refusal.detail)
                }
            }
        case .blobProgress(let durable, let complete):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_BLOB_PROGRESS
            m.blob_progress = arena.make(kumiai__v1__blob_progress__init) {
                $0.durable_bytes = durable
                $0.complete = complete ? 1 : 0
            }
        case .blobStart(let byteCount):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_BLOB_START
            m.blob_start = arena.make(kumiai__v1__blob_start__init) { $0.bytes = byteCount }
        case .blobChunk(let chunk):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_BLOB_CHUNK
            m.blob_chunk = chunk.packed(in: arena)
        case .campaignAccepted(let campaign, let index):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_CAMPAIGN_ACCEPTED
            m.campaign_accepted = arena.make(kumiai__v1__campaign_accepted__init) {
                $0.campaign = arena.string(campaign.text)
                $0.entry_index = index
            }
        case .releaseReady(let name, let model, let directory, let discarded):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_RELEASE_READY
            m.release_ready = arena.make(kumiai__v1__release_ready__init) {
                $0.name = arena.string(name.text)
                $0.model_digest = arena.bytes(model)
                $0.directory = arena.string(directory)
                $0.has_adapter = discarded == nil ? 0 : 1
                $0.discarded_energy = discarded ?? 0
            }
        case .updatesRemoved(let report):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_UPDATES_REMOVED
            m.updates_removed = arena.make(kumiai__v1__updates_removed__init) {
                $0.rounds = UInt32(clamping: report.rounds)
                $0.blobs = UInt32(clamping: report.blobs)
                $0.bytes = report.byteCount
            }
        case .status(let report):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_STATUS
            m.status = report.packed(in: arena)
        case .receiptSeen(let isHeld):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_RECEIPT_SEEN
            m.receipt_seen = arena.make(kumiai__v1__receipt_seen__init) { $0.is_held = isHeld ? 1 : 0 }
        case .modelDescription(let description):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_MODEL_DESCRIPTION
            m.model_description = description.packed(in: arena)
        case .recorded(let index):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_RECORDED
            m.recorded = arena.make(kumiai__v1__recorded__init) { $0.entry_index = index }
        }
    }
}
