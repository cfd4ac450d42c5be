import Federation
import KumiaiProto

/// What the coordinator says to a participant.
public enum ServerMessage: Sendable {
    case welcome(Welcome)
    case refusal(Refusal)
    case heartbeatSeen(Timestamp)
    case assignment(Assignment)
    case receipt(Receipt)
    case updateRefused(UpdateRefusal)
    case blobProgress(durable: UInt64, complete: Bool)
    case blobStart(byteCount: UInt64)
    case blobChunk(BlobChunk)
    case campaignAccepted(CampaignID, index: UInt64)
    /// `discardedEnergy`: what its adapter, where one was asked for, does not have of the change, 0 to 1.
    case releaseReady(ModelName, model: Digest, directory: String, discardedEnergy: Double?)
    case updatesRemoved(RemovalReport)
    case status(StatusReport)
}

/// A server's message; `inReplyTo` is 0 for what comes unasked.
public struct ServerFrame: Sendable {
    public let inReplyTo: UInt64
    public let message: ServerMessage

    public init(inReplyTo: UInt64, _ message: ServerMessage) {
        self.inReplyTo = inReplyTo
        self.message = message
    }
}

/// What went, or would go, when the retention of rounds had passed.
public struct RemovalReport: Equatable, Sendable {
    public let rounds: Int
    public let blobs: Int
    public let byteCount: UInt64

    public init(rounds: Int, blobs: Int, byteCount: UInt64) {
        self.rounds = rounds
        self.blobs = blobs
        self.byteCount = byteCount
    }
}

public struct Welcome: Equatable, Sendable {
    public let version: UInt32
    public let consortium: String
    public let time: Timestamp
    public let heartbeatSeconds: Int
    public let chunkBytes: Int
    /// Raw Ed25519 key of the tree heads, and the coordinator's signature over it.
    public let logKey: [UInt8]
    public let logKeySignature: [UInt8]
    /// What the next round starts from: a site can check its data against its contract.
    public let model: BlobReference?

    public init(
        version: UInt32, consortium: String, time: Timestamp, heartbeatSeconds: Int, chunkBytes: Int,
        logKey: [UInt8], logKeySignature: [UInt8], model: BlobReference? = nil
    ) {
        self.version = version
        self.consortium = consortium
        self.time = time
        self.heartbeatSeconds = heartbeatSeconds
        self.chunkBytes = chunkBytes
        self.logKey = logKey
        self.logKeySignature = logKeySignature
        self.model = model
    }
}

/// An answer that says no, with its reason and what to do.
public struct Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        case version, identity, role, limit, invalid, notFound, conflict, unavailable
    }

    public let code: Code
    public let message: String
    public let hint: String

    public init(_ code: Code, _ message: String, hint: String = "") {
        self.code = code
        self.message = message
        self.hint = hint
    }

    public var description: String { message }
}

// MARK: Packing

extension ServerFrame {
    public var packed: PackedMessage {
        let arena = Arena()
        var payload: Payload?
        if case .blobChunk(let chunk) = message { payload = chunk.payload }
        return PackedMessage(
            arena,
            arena.make(kumiai__v1__server_message__init) { m in
                m.in_reply_to = inReplyTo
                fill(&m, arena)
            }, payload: payload)
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
        case .receipt(let receipt):
            m.body_case = KUMIAI__V1__SERVER_MESSAGE__BODY_UPDATE_ANSWER
            m.update_answer = arena.make(kumiai__v1__update_answer__init) {
                $0.kind_case = KUMIAI__V1__UPDATE_ANSWER__KIND_RECEIPT
                $0.receipt = receipt.packed(in: arena)
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
        }
    }
}

// MARK: Unpacking

extension ServerFrame {
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
                    try Refusal.Code(refusal.code), try Field.text(refusal.message, "refusal.message"),
                    hint: try Field.text(refusal.hint, "refusal.hint")))
        case KUMIAI__V1__SERVER_MESSAGE__BODY_HEARTBEAT_SEEN:
            return .heartbeatSeen(Timestamp(milliseconds: try Field.present(m.heartbeat_seen, "heartbeat_seen").pointee.time_ms))
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
            return .campaignAccepted(try Field.name(accepted.campaign, "campaign_accepted.campaign"), index: accepted.entry_index)
        case KUMIAI__V1__SERVER_MESSAGE__BODY_RELEASE_READY:
            let ready = try Field.present(m.release_ready, "release_ready").pointee
            return .releaseReady(
                try Field.name(ready.name, "release_ready.name"),
                model: try Field.digest(ready.model_digest, "release_ready.model_digest"),
                directory: try Field.text(ready.directory, "release_ready.directory"),
                discardedEnergy: ready.has_adapter == 0 ? nil : try Field.finite(ready.discarded_energy, "release_ready.discarded_energy"))
        case KUMIAI__V1__SERVER_MESSAGE__BODY_UPDATES_REMOVED:
            let removed = try Field.present(m.updates_removed, "updates_removed").pointee
            return .updatesRemoved(RemovalReport(rounds: Int(removed.rounds), blobs: Int(removed.blobs), byteCount: removed.bytes))
        case KUMIAI__V1__SERVER_MESSAGE__BODY_STATUS:
            return .status(try StatusReport(try Field.present(m.status, "status").pointee))
        default: throw WireError("ServerMessage", "unknown kind")
        }
    }

    private static func answer(_ m: Kumiai__V1__UpdateAnswer) throws -> ServerMessage {
        switch m.kind_case {
        case KUMIAI__V1__UPDATE_ANSWER__KIND_RECEIPT:
            return .receipt(try Receipt(try Field.present(m.receipt, "update_answer.receipt").pointee))
        case KUMIAI__V1__UPDATE_ANSWER__KIND_REFUSAL:
            let refusal = try Field.present(m.refusal, "update_answer.refusal").pointee
            return .updateRefused(
                UpdateRefusal(try UpdateRefusal.Reason(refusal.reason), try Field.text(refusal.detail, "update_answer.detail")))
        default: throw WireError("update_answer", "unknown kind")
        }
    }
}

extension Welcome {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Welcome> {
        arena.make(kumiai__v1__welcome__init) {
            $0.version = version
            $0.consortium = arena.string(consortium)
            $0.time_ms = time.milliseconds
            $0.heartbeat_seconds = UInt32(clamping: heartbeatSeconds)
            $0.chunk_bytes = UInt32(clamping: chunkBytes)
            $0.log_key = arena.bytes(logKey)
            $0.log_key_signature = arena.bytes(logKeySignature)
            $0.model_digest = arena.bytes(model?.digest)
            $0.model_bytes = model?.byteCount ?? 0
        }
    }

    init(_ m: Kumiai__V1__Welcome) throws {
        self.init(
            version: m.version, consortium: try Field.text(m.consortium, "welcome.consortium", atMost: 255),
            time: Timestamp(milliseconds: m.time_ms), heartbeatSeconds: Int(m.heartbeat_seconds),
            chunkBytes: Int(m.chunk_bytes), logKey: try Field.bytes(m.log_key, "welcome.log_key", atMost: 32),
            logKeySignature: try Field.bytes(m.log_key_signature, "welcome.log_key_signature", atMost: WireLimits.signatureBytes),
            model: try Field.optionalDigest(m.model_digest, "welcome.model_digest").map { BlobReference(digest: $0, byteCount: m.model_bytes) })
    }
}

extension Refusal.Code {
    private static let numbers: [(Self, Kumiai__V1__RefusalCode)] = [
        (.version, KUMIAI__V1__REFUSAL_CODE__VERSION), (.identity, KUMIAI__V1__REFUSAL_CODE__IDENTITY),
        (.role, KUMIAI__V1__REFUSAL_CODE__ROLE), (.limit, KUMIAI__V1__REFUSAL_CODE__LIMIT),
        (.invalid, KUMIAI__V1__REFUSAL_CODE__INVALID), (.notFound, KUMIAI__V1__REFUSAL_CODE__NOT_FOUND),
        (.conflict, KUMIAI__V1__REFUSAL_CODE__CONFLICT), (.unavailable, KUMIAI__V1__REFUSAL_CODE__UNAVAILABLE),
    ]

    var wireValue: Kumiai__V1__RefusalCode { Self.numbers.first { $0.0 == self }!.1 }

    init(_ number: Kumiai__V1__RefusalCode) throws {
        guard let pair = Self.numbers.first(where: { $0.1 == number }) else { throw WireError("refusal.code", "unknown") }
        self = pair.0
    }
}
