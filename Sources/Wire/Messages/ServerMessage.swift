import Federation
import KumiaiProto

/// A message from the coordinator to a client.
// Indirect: a message is passed through many tasks, each of which would reserve space for the largest case.
public indirect enum ServerMessage: Sendable {
    case welcome(Welcome)
    case refusal(Refusal)
    case heartbeatSeen(Timestamp)
    case assignment(Assignment)
    /// `consistencyProof` shows that the receipt's tree head extends the one that the site has seen.
    case receipt(Receipt, consistencyProof: [Digest] = [])
    case updateRefused(UpdateRefusal)
    case blobProgress(durable: UInt64, complete: Bool)
    case blobStart(byteCount: UInt64)
    case blobChunk(BlobChunk)
    case campaignAccepted(CampaignID, index: UInt64)
    /// `discardedEnergy` is the fraction of the change's energy that the requested adapter does not represent, 0 to 1.
    case releaseReady(ModelName, model: Digest, directory: String, discardedEnergy: Double?)
    case updatesRemoved(RemovalReport)
    /// Whether the coordinator's ledger holds the entry of the receipt that was shown.
    case receiptSeen(isHeld: Bool)
    case modelDescription(ModelListing)
    /// The entry that resulted from an operator's request.
    case recorded(index: UInt64)
    case status(StatusReport)
}

/// A server's message; `inReplyTo` is 0 for unsolicited messages.
public struct ServerFrame: Sendable {
    public let inReplyTo: UInt64
    public let message: ServerMessage

    public init(inReplyTo: UInt64, _ message: ServerMessage) {
        self.inReplyTo = inReplyTo
        self.message = message
    }
}

/// What a pruning of expired rounds removed, or would remove.
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

/// The files of a model or a release, and the entry that registered it.
public struct ModelListing: Equatable, Sendable {
    public struct File: Equatable, Sendable {
        /// A relative path, with `/` between folders.
        public let path: String
        public let blob: BlobReference

        public init(path: String, blob: BlobReference) {
            self.path = path
            self.blob = blob
        }
    }

    /// The path of the signature over all other files of a release.
    public static let signaturePath = "model.sig"

    public let name: ModelName
    public let files: [File]
    public let proof: Receipt

    public init(name: ModelName, files: [File], proof: Receipt) {
        self.name = name
        self.files = files
        self.proof = proof
    }
}

public struct Welcome: Equatable, Sendable {
    public let version: UInt32
    public let consortium: String
    public let time: Timestamp
    public let heartbeatSeconds: Int
    public let chunkBytes: Int
    /// The raw Ed25519 public key that tree heads are verified with, and the coordinator's signature over it.
    public let logKey: [UInt8]
    public let logKeySignature: [UInt8]
    /// The model that the next round starts from, so that a site can check its data against the model's contract.
    public let model: BlobReference?
    /// The newest tree head as a signed note, and the proof that it extends the one in the hello.
    public let treeHead: String
    public let consistencyProof: [Digest]
    /// The newest declaration of a loss, if there is one.
    public let loss: Receipt?

    public init(
        version: UInt32,
        consortium: String,
        time: Timestamp,
        heartbeatSeconds: Int,
        chunkBytes: Int,
        logKey: [UInt8],
        logKeySignature: [UInt8],
        model: BlobReference? = nil,
        treeHead: String = "",
        consistencyProof: [Digest] = [],
        loss: Receipt? = nil
    ) {
        self.version = version
        self.consortium = consortium
        self.time = time
        self.heartbeatSeconds = heartbeatSeconds
        self.chunkBytes = chunkBytes
        self.logKey = logKey
        self.logKeySignature = logKeySignature
        self.model = model
        self.treeHead = treeHead
        self.consistencyProof = consistencyProof
        self.loss = loss
    }
}

/// A negative response, with the reason and what to do.
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
            },
            payload: payload
        )
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
            $0.tree_head = arena.string(treeHead)
            $0.n_consistency_proof = consistencyProof.count
            $0.consistency_proof = arena.array(consistencyProof.map { arena.bytes($0) })
            $0.loss = loss?.packed(in: arena)
        }
    }

    init(_ m: Kumiai__V1__Welcome) throws {
        self.init(
            version: m.version,
            consortium: try Field.text(m.consortium, "welcome.consortium", atMost: 255),
            time: Timestamp(milliseconds: m.time_ms),
            heartbeatSeconds: Int(m.heartbeat_seconds),
            chunkBytes: Int(m.chunk_bytes),
            logKey: try Field.bytes(m.log_key, "welcome.log_key", atMost: 32),
            logKeySignature: try Field.bytes(
                m.log_key_signature,
                "welcome.log_key_signature",
                atMost: WireLimits.signatureBytes
            ),
            model: try Field.optionalDigest(m.model_digest, "welcome.model_digest").map {
                BlobReference(digest: $0, byteCount: m.model_bytes)
            },
            treeHead: try Field.text(m.tree_head, "welcome.tree_head"),
            consistencyProof: try Field.list(
                m.consistency_proof,
                m.n_consistency_proof,
                "welcome.consistency_proof",
                atMost: 2 * WireLimits.proofHashes
            ) {
                try Field.digest($0, "welcome.consistency_proof")
            },
            loss: try m.loss.map { try Receipt($0.pointee) }
        )
    }
}

extension ModelListing {
    /// The largest number of files of a model or a release.
    public static let maximumFiles = 1000

    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__ModelDescription> {
        arena.make(kumiai__v1__model_description__init) { m in
            m.name = arena.string(name.text)
            m.n_files = files.count
            m.files = arena.array(
                files.map { file in
                    Optional(
                        arena.make(kumiai__v1__model_file__init) {
                            $0.path = arena.string(file.path)
                            $0.digest = arena.bytes(file.blob.digest)
                            $0.bytes = file.blob.byteCount
                        }
                    )
                }
            )
            m.proof = proof.packed(in: arena)
        }
    }

    init(_ m: Kumiai__V1__ModelDescription) throws {
        self.init(
            name: try Field.name(m.name, "model_description.name"),
            files: try Field.list(m.files, m.n_files, "model_description.files", atMost: Self.maximumFiles) {
                let file = try Field.present($0, "model_description.files").pointee
                return File(
                    path: try Self.path(file.path),
                    blob: BlobReference(
                        digest: try Field.digest(file.digest, "model_file.digest"),
                        byteCount: file.bytes
                    )
                )
            },
            proof: try Receipt(try Field.present(m.proof, "model_description.proof").pointee)
        )
    }

    /// Reads a relative path that cannot lead out of its folder: each part is a name.
    private static func path(_ pointer: UnsafeMutablePointer<CChar>?) throws -> String {
        let path = try Field.text(pointer, "model_file.path", atMost: 512)
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ ModelName.isValid(String($0)) }) else {
            throw WireError("model_file.path", "not a relative path of names")
        }
        return path
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
        guard let pair = Self.numbers.first(where: { $0.1 == number }) else {
            throw WireError("refusal.code", "unknown")
        }
        self = pair.0
    }
}
