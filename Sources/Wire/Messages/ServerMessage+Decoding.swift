import Federation
import KumiaiProto

extension ServerFrame {
    /// Unpacks and checks a server's message.
    ///
    /// - Parameter bytes: The packed message, without the length of its frame; it is not needed after the call.
    /// - Throws: `WireError` if the bytes are not a valid message, or need more memory than
    ///   `WireLimits.unpackBudget(frameBytes:)`.
    public init(unpacking bytes: UnsafeRawBufferPointer) throws {
        self = try Unpacker.unpack(bytes, as: "ServerMessage", kumiai__v1__server_message__unpack) { pointer in
            ServerFrame(inReplyTo: pointer.pointee.in_reply_to, try Self.message(pointer.pointee))
        }
    }

    private static func message(_ m: Kumiai__V1__ServerMessage) throws -> ServerMessage {
        switch m.body_case {
        case KUMIAI__V1__SERVER_MESSAGE__BODY_WELCOME:
            return .welcome(try Welcome(try Field.present(m.welcome, "welcome").pointee))
        case KUMIAI__V1__SERVER_MESSAGE__BODY_REFUSAL:
            let refusal = try Field.present(m.refusal, "refusal").pointee
            return .refusal(
                Refusal(
                    try Refusal.Code(refusal.code),
                    try Field.text(refusal.message, "refusal.message"),
                    hint: try Field.text(refusal.hint, "refusal.hint")
                )
            )
        case KUMIAI__V1__SERVER_MESSAGE__BODY_HEARTBEAT_SEEN:
            return .heartbeatSeen(
                Timestamp(milliseconds: try Field.present(m.heartbeat_seen, "heartbeat_seen").pointee.time_ms)
            )
        case KUMIAI__V1__SERVER_MESSAGE__BODY_ASSIGNMENT:
            return .assignment(try Assignment(try Field.present(m.assignment, "assignment").pointee))
        case KUMIAI__V1__SERVER_MESSAGE__BODY_UPDATE_ANSWER:
            return try answer(try Field.present(m.update_answer, "update_answer").pointee)
        case KUMIAI__V1__SERVER_MESSAGE__BODY_BLOB_PROGRESS:
            let progress = try Field.present(m.blob_progress, "blob_progress").pointee
            return .blobProgress(durable: progress.durable_bytes, complete: progress.complete != 0)
        case KUMIAI__V1__SERVER_MESSAGE__BODY_BLOB_START:
            return .blobStart(byteCount: try Field.present(m.blob_start, "blob_start").pointee.bytes)
        case KUMIAI__V1__SERVER_MESSAGE__BODY_BLOB_CHUNK:
            return .blobChunk(try BlobChunk(stealing: try Field.present(m.blob_chunk, "blob_chunk")))
        case KUMIAI__V1__SERVER_MESSAGE__BODY_CAMPAIGN_ACCEPTED:
            let accepted = try Field.present(m.campaign_accepted, "campaign_accepted").pointee
            return .campaignAccepted(
                try Field.name(accepted.campaign, "campaign_accepted.campaign"),
                index: accepted.entry_index
            )
        case KUMIAI__V1__SERVER_MESSAGE__BODY_RELEASE_READY:
            let ready = try Field.present(m.release_ready, "release_ready").pointee
            return .releaseReady(
                try Field.name(ready.name, "release_ready.name"),
                model: try Field.digest(ready.model_digest, "release_ready.model_digest"),
                directory: try Field.text(ready.directory, "release_ready.directory"),
                discardedEnergy: ready.has_adapter == 0
                    ? nil : try Field.finite(ready.discarded_energy, "release_ready.discarded_energy")
            )
        case KUMIAI__V1__SERVER_MESSAGE__BODY_UPDATES_REMOVED:
            let removed = try Field.present(m.updates_removed, "updates_removed").pointee
            return .updatesRemoved(
                RemovalReport(rounds: Int(removed.rounds), blobs: Int(removed.blobs), byteCount: removed.bytes)
            )
        case KUMIAI__V1__SERVER_MESSAGE__BODY_STATUS:
            return .status(try StatusReport(try Field.present(m.status, "status").pointee))
        case KUMIAI__V1__SERVER_MESSAGE__BODY_RECEIPT_SEEN:
            return .receiptSeen(isHeld: try Field.present(m.receipt_seen, "receipt_seen").pointee.is_held != 0)
        case KUMIAI__V1__SERVER_MESSAGE__BODY_MODEL_DESCRIPTION:
            return .modelDescription(
                try ModelListing(try Field.present(m.model_description, "model_description").pointee)
            )
        case KUMIAI__V1__SERVER_MESSAGE__BODY_RECORDED:
            return .recorded(index: try Field.present(m.recorded, "recorded").pointee.entry_index)
        default: throw WireError("ServerMessage", "unknown kind")
        }
    }

    private static func answer(_ m: Kumiai__V1__UpdateAnswer) throws -> ServerMessage {
        switch m.kind_case {
        case KUMIAI__V1__UPDATE_ANSWER__KIND_RECEIPT:
            let proof = try Field.list(
                m.consistency_proof,
                m.n_consistency_proof,
                "update_answer.consistency_proof",
                atMost: 2 * WireLimits.proofHashes
            ) {
                try Field.digest($0, "update_answer.consistency_proof")
            }
            return .receipt(
                try Receipt(try Field.present(m.receipt, "update_answer.receipt").pointee),
                consistencyProof: proof
            )
        case KUMIAI__V1__UPDATE_ANSWER__KIND_REFUSAL:
            let refusal = try Field.present(m.refusal, "update_answer.refusal").pointee
            return .updateRefused(
                UpdateRefusal(
                    try UpdateRefusal.Reason(refusal.reason),
                    try Field.text(refusal.detail, "update_answer.detail")
                )
            )
        default: throw WireError("update_answer", "unknown kind")
        }
    }
}
