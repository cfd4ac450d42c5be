import Federation
import KumiaiProto

extension ClientFrame {
    public var packed: PackedMessage {
        pack(kumiai__v1__client_message__init) { m, arena in
            m.id = id
            fill(&m, arena)
        }
    }

    private func fill(_ m: inout Kumiai__V1__ClientMessage, _ arena: Arena) {
        switch message {
        case .hello(let hello):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_HELLO
            m.hello = arena.make(kumiai__v1__hello__init) {
                $0.minimum_version = hello.versions.lowerBound
                $0.maximum_version = hello.versions.upperBound
                $0.purpose = hello.purpose == .control ? KUMIAI__V1__PURPOSE__CONTROL : KUMIAI__V1__PURPOSE__BULK
                $0.software = arena.string(hello.software)
                $0.tree_head = arena.string(hello.treeHead)
            }
        case .heartbeat(let heartbeat):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_HEARTBEAT
            m.heartbeat = arena.make(kumiai__v1__heartbeat__init) {
                $0.activity = heartbeat.activity.wireValue
                $0.round = UInt32(clamping: heartbeat.round)
                $0.progress = heartbeat.progress
                $0.local_loss = heartbeat.localLoss
                $0.bytes_up = heartbeat.bytesUp
                $0.bytes_down = heartbeat.bytesDown
                $0.trouble = arena.string(heartbeat.problem)
                $0.display_name = arena.string(heartbeat.displayName)
            }
        case .submitUpdate(let update, let seenEntries):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_SUBMIT_UPDATE
            m.submit_update = arena.make(kumiai__v1__submit_update__init) {
                $0.update = update.packed(in: arena)
                $0.seen_entries = seenEntries
            }
        case .offerBlob(let digest, let byteCount):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_OFFER_BLOB
            m.offer_blob = arena.make(kumiai__v1__offer_blob__init) {
                $0.digest = arena.bytes(digest)
                $0.bytes = byteCount
            }
        case .blobChunk(let chunk):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_BLOB_CHUNK
            m.blob_chunk = chunk.packed(in: arena)
        case .fetchBlob(let digest, let offset):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_FETCH_BLOB
            m.fetch_blob = arena.make(kumiai__v1__fetch_blob__init) {
                $0.digest = arena.bytes(digest)
                $0.offset = offset
            }
        case .openCampaign(let plan, let abandonsRelease):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_OPEN_CAMPAIGN
            m.open_campaign = arena.make(kumiai__v1__open_campaign__init) {
                $0.plan = plan.packed(in: arena)
                $0.abandon_release = abandonsRelease ? 1 : 0
            }
        case .checkPlan(let plan, let abandonsRelease):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_OPEN_CAMPAIGN
            m.open_campaign = arena.make(kumiai__v1__open_campaign__init) {
                $0.plan = plan.packed(in: arena)
                $0.check_only = 1
                $0.abandon_release = abandonsRelease ? 1 : 0
            }
        case .cutRelease(let name, let round, let rank):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_CUT_RELEASE
            m.cut_release = arena.make(kumiai__v1__cut_release__init) {
                $0.name = arena.string(name.text)
                $0.adapter_rank = UInt32(clamping: rank)
                $0.round = UInt32(clamping: round ?? 0)
            }
        case .changeCampaign(let change):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_CHANGE_CAMPAIGN
            m.change_campaign = change.packed(in: arena)
        case .registerModel(let name, let model):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_REGISTER_MODEL
            m.register_model = arena.make(kumiai__v1__register_model__init) {
                $0.name = arena.string(name.text)
                $0.digest = arena.bytes(model.digest)
                $0.bytes = model.byteCount
            }
        case .declareLoss(let reason):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_DECLARE_LOSS
            m.declare_loss = arena.make(kumiai__v1__declare_loss__init) { $0.reason = arena.string(reason) }
        case .correctClock(let reason):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_CORRECT_CLOCK
            m.correct_clock = arena.make(kumiai__v1__correct_clock__init) { $0.reason = arena.string(reason) }
        case .presentReceipt(let receipt):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_PRESENT_RECEIPT
            m.present_receipt = receipt.packed(in: arena)
        case .describeModel(let name):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_DESCRIBE_MODEL
            m.describe_model = arena.make(kumiai__v1__describe_model__init) { $0.name = arena.string(name.text) }
        case .pruneUpdates(let dryRun):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_PRUNE_UPDATES
            m.prune_updates = arena.make(kumiai__v1__prune_updates__init) { $0.dry_run = dryRun ? 1 : 0 }
        case .getStatus:
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_GET_STATUS
            m.get_status = arena.make(kumiai__v1__get_status__init) { _ in }
        case .goodbye(let reason):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_GOODBYE
            m.goodbye = arena.make(kumiai__v1__goodbye__init) { $0.reason = arena.string(reason) }
        }
    }
}
