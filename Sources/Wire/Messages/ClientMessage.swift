import Federation
import KumiaiProto

/// A message from a client to the coordinator.
// Indirect: a message is passed through many tasks, each of which would reserve space for the largest case.
public indirect enum ClientMessage: Sendable {
    case hello(Hello)
    case heartbeat(Heartbeat)
    /// `seenEntries` is the size of the newest tree head that the site has seen.
    case submitUpdate(SignedUpdate, seenEntries: UInt64 = 0)
    case offerBlob(Digest, byteCount: UInt64)
    case blobChunk(BlobChunk)
    case fetchBlob(Digest, offset: UInt64)
    case openCampaign(Plan)
    /// Asks whether a campaign could be opened with this plan; opens nothing.
    case checkPlan(Plan)
    /// `round` is a committed round; `nil` is the last one of a completed campaign. `adapterRank` is the rank of an
    /// adapter to write beside the model; 0 for none.
    case cutRelease(ModelName, round: Int?, adapterRank: Int)
    case changeCampaign(CampaignChange)
    /// Registers a model whose blob was uploaded on this connection.
    case registerModel(ModelName, BlobReference)
    case declareLoss(reason: String)
    case correctClock(reason: String)
    /// Shows the receipt of an entry that the coordinator's ledger lacks.
    case presentReceipt(Receipt)
    case describeModel(ModelName)
    case pruneUpdates(dryRun: Bool)
    case getStatus
    case goodbye(reason: String)

    /// The name in the .proto file, for logs.
    public var name: String {
        switch self {
        case .hello: "hello"
        case .heartbeat: "heartbeat"
        case .submitUpdate: "submit_update"
        case .offerBlob: "offer_blob"
        case .blobChunk: "blob_chunk"
        case .fetchBlob: "fetch_blob"
        case .openCampaign, .checkPlan: "open_campaign"
        case .cutRelease: "cut_release"
        case .pruneUpdates: "prune_updates"
        case .changeCampaign: "change_campaign"
        case .registerModel: "register_model"
        case .declareLoss: "declare_loss"
        case .correctClock: "correct_clock"
        case .presentReceipt: "present_receipt"
        case .describeModel: "describe_model"
        case .getStatus: "get_status"
        case .goodbye: "goodbye"
        }
    }
}

/// A client's message with the number that its response repeats.
public struct ClientFrame: Sendable {
    public let id: UInt64
    public let message: ClientMessage

    public init(id: UInt64, _ message: ClientMessage) {
        self.id = id
        self.message = message
    }
}

public struct Hello: Equatable, Sendable {
    public enum Purpose: String, Sendable { case control, bulk }

    public let versions: ClosedRange<UInt32>
    public let purpose: Purpose
    public let software: String
    /// The newest tree head that the site has seen, as a signed note; empty if it has seen none.
    public let treeHead: String

    public init(
        versions: ClosedRange<UInt32> = WireLimits.versions,
        purpose: Purpose,
        software: String,
        treeHead: String = ""
    ) {
        self.versions = versions
        self.purpose = purpose
        self.software = software
        self.treeHead = treeHead
    }
}

/// A part of a blob.
public struct BlobChunk: Sendable {
    public let offset: UInt64
    public let payload: Payload

    public init(offset: UInt64, payload: Payload) {
        self.offset = offset
        self.payload = payload
    }
}

// MARK: Packing

extension ClientFrame {
    public var packed: PackedMessage {
        let arena = Arena()
        var payload: Payload?
        if case .blobChunk(let chunk) = message { payload = chunk.payload }
        return PackedMessage(
            arena,
            arena.make(kumiai__v1__client_message__init) { m in
                m.id = id
                fill(&m, arena)
            },
            payload: payload
        )
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
                $0.trouble = arena.string(heartbeat.trouble)
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
        case .openCampaign(let plan):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_OPEN_CAMPAIGN
            m.open_campaign = arena.make(kumiai__v1__open_campaign__init) { $0.plan = plan.packed(in: arena) }
        case .checkPlan(let plan):
            m.body_case = KUMIAI__V1__CLIENT_MESSAGE__BODY_OPEN_CAMPAIGN
            m.open_campaign = arena.make(kumiai__v1__open_campaign__init) {
                ($0.plan, $0.check_only) = (plan.packed(in: arena), 1)
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

extension BlobChunk {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__BlobChunk> {
        arena.make(kumiai__v1__blob_chunk__init) {
            $0.offset = offset
            // Not copied: PackedMessage keeps the payload alive until it is packed.
            $0.data.len = payload.count
            $0.data.data = payload.start.assumingMemoryBound(to: UInt8.self)
        }
    }

    /// Moves the data out of the message, to avoid another copy.
    init(stealing pointer: UnsafeMutablePointer<Kumiai__V1__BlobChunk>) throws {
        guard pointer.pointee.data.len > 0, let data = pointer.pointee.data.data else {
            throw WireError("blob_chunk.data", "missing")
        }
        guard pointer.pointee.data.len <= WireLimits.chunkBytes else {
            throw WireError("blob_chunk.data", "longer than \(WireLimits.chunkBytes) bytes")
        }
        offset = pointer.pointee.offset
        payload = Payload(adopting: data, count: pointer.pointee.data.len)
        pointer.pointee.data.len = 0
        pointer.pointee.data.data = nil
    }
}

// MARK: Unpacking

extension ClientFrame {
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
            return open.check_only != 0 ? .checkPlan(plan) : .openCampaign(plan)
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

extension Hello {
    init(_ m: Kumiai__V1__Hello) throws {
        guard m.minimum_version <= m.maximum_version, m.minimum_version > 0 else {
            throw WireError("hello.minimum_version", "not a range of versions")
        }
        switch m.purpose {
        case KUMIAI__V1__PURPOSE__CONTROL: purpose = .control
        case KUMIAI__V1__PURPOSE__BULK: purpose = .bulk
        default: throw WireError("hello.purpose", "unknown")
        }
        versions = m.minimum_version...m.maximum_version
        software = try Field.text(m.software, "hello.software", atMost: 128)
        treeHead = try Field.text(m.tree_head, "hello.tree_head")
    }
}

extension Heartbeat {
    init(_ m: Kumiai__V1__Heartbeat) throws {
        self.init(
            activity: try Activity(m.activity),
            round: Int(m.round),
            progress: min(1, max(0, try Field.finite(m.progress, "heartbeat.progress"))),
            localLoss: try Field.finite(m.local_loss, "heartbeat.local_loss"),
            bytesUp: m.bytes_up,
            bytesDown: m.bytes_down,
            trouble: try Field.text(m.trouble, "heartbeat.trouble", atMost: Heartbeat.troubleBytes),
            displayName: try Field.text(m.display_name, "heartbeat.display_name", atMost: Heartbeat.displayNameBytes)
        )
    }
}

extension Activity {
    private static let numbers: [(Self, Kumiai__V1__Activity)] = [
        (.idle, KUMIAI__V1__ACTIVITY__IDLE), (.fetching, KUMIAI__V1__ACTIVITY__FETCHING),
        (.training, KUMIAI__V1__ACTIVITY__TRAINING), (.uploading, KUMIAI__V1__ACTIVITY__UPLOADING),
        (.submitting, KUMIAI__V1__ACTIVITY__SUBMITTING), (.waiting, KUMIAI__V1__ACTIVITY__WAITING),
        (.paused, KUMIAI__V1__ACTIVITY__PAUSED),
    ]

    var wireValue: Kumiai__V1__Activity { Self.numbers.first { $0.0 == self }!.1 }

    init(_ number: Kumiai__V1__Activity) throws {
        guard let pair = Self.numbers.first(where: { $0.1 == number }) else { throw WireError("activity", "unknown") }
        self = pair.0
    }
}
