import Federation
import KumiaiProto

extension ClientFrame {
    /// Unpacks and checks a client's message.
    ///
    /// - Parameter bytes: The packed message, without the length of its frame; it is not needed after the call.
    /// - Throws: `WireError` if the bytes are not a valid message, or need more memory than
    ///   `WireLimits.unpackBudget(frameBytes:)`.
    public init(unpacking bytes: UnsafeRawBufferPointer) throws {
        self = try Unpacker.unpack(bytes, as: "ClientMessage", kumiai__v1__client_message__unpack) { pointer in
            ClientFrame(id: pointer.pointee.id, try Self.message(pointer.pointee))
        }
    }

    private static func message(_ m: Kumiai__V1__ClientMessage) throws -> ClientMessage {
        switch m.body_case {
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_HELLO:
            return .hello(try Hello(try Field.present(m.hello, "hello").pointee))
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_HEARTBEAT:
            return .heartbeat(try Heartbeat(try Field.present(m.heartbeat, "heartbeat").pointee))
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_SUBMIT_UPDATE:
            let submit = try Field.present(m.submit_update, "submit_update").pointee
            return .submitUpdate(
                try SignedUpdate(try Field.present(submit.update, "submit_update.update").pointee),
                seenEntries: submit.seen_entries
            )
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_OFFER_BLOB:
            let offer = try Field.present(m.offer_blob, "offer_blob").pointee
            return .offerBlob(try Field.digest(offer.digest, "offer_blob.digest"), byteCount: offer.bytes)
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_BLOB_CHUNK:
            return .blobChunk(try BlobChunk(stealing: try Field.present(m.blob_chunk, "blob_chunk")))
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_FETCH_BLOB:
            let fetch = try Field.present(m.fetch_blob, "fetch_blob").pointee
            return .fetchBlob(try Field.digest(fetch.digest, "fetch_blob.digest"), offset: fetch.offset)
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_OPEN_CAMPAIGN:
            let open = try Field.present(m.open_campaign, "open_campaign").pointee
            let plan = try Plan(try Field.present(open.plan, "open_campaign.plan").pointee)
            let abandonsRelease = open.abandon_release != 0
            return open.check_only != 0
                ? .checkPlan(plan, abandonsRelease: abandonsRelease)
                : .openCampaign(plan, abandonsRelease: abandonsRelease)
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_CUT_RELEASE:
            let cut = try Field.present(m.cut_release, "cut_release").pointee
            guard cut.adapter_rank <= PlanLimits.loraRank else {
                throw WireError("cut_release.adapter_rank", "more than \(PlanLimits.loraRank)")
            }
            return .cutRelease(
                try Field.name(cut.name, "cut_release.name"),
                round: cut.round == 0 ? nil : Int(cut.round),
                adapterRank: Int(cut.adapter_rank)
            )
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_CHANGE_CAMPAIGN:
            return .changeCampaign(try CampaignChange(try Field.present(m.change_campaign, "change_campaign").pointee))
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_REGISTER_MODEL:
            let register = try Field.present(m.register_model, "register_model").pointee
            return .registerModel(
                try Field.name(register.name, "register_model.name"),
                BlobReference(
                    digest: try Field.digest(register.digest, "register_model.digest"),
                    byteCount: register.bytes
                )
            )
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_DECLARE_LOSS:
            return .declareLoss(
                reason: try Field.reason(
                    try Field.present(m.declare_loss, "declare_loss").pointee.reason,
                    "declare_loss.reason"
                )
            )
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_CORRECT_CLOCK:
            return .correctClock(
                reason: try Field.reason(
                    try Field.present(m.correct_clock, "correct_clock").pointee.reason,
                    "correct_clock.reason"
                )
            )
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_PRESENT_RECEIPT:
            return .presentReceipt(try Receipt(try Field.present(m.present_receipt, "present_receipt").pointee))
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_DESCRIBE_MODEL:
            return .describeModel(
                try Field.name(
                    try Field.present(m.describe_model, "describe_model").pointee.name,
                    "describe_model.name"
                )
            )
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_PRUNE_UPDATES:
            return .pruneUpdates(dryRun: try Field.present(m.prune_updates, "prune_updates").pointee.dry_run != 0)
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_GET_STATUS:
            return .getStatus
        case KUMIAI__V1__CLIENT_MESSAGE__BODY_GOODBYE:
            return .goodbye(
                reason: try Field.text(try Field.present(m.goodbye, "goodbye").pointee.reason, "goodbye.reason")
            )
        default: throw WireError("ClientMessage", "unknown kind")
        }
    }
}
