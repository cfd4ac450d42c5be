import Federation
import KumiaiProto

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

    /// Creates the coordinator's answer to a ``Hello``.
    ///
    /// - Parameters:
    ///   - version: The highest protocol version that both sides support.
    ///   - consortium: The consortium's name; at most 255 bytes.
    ///   - time: The coordinator's time.
    ///   - heartbeatSeconds: The interval at which a worker sends heartbeats, in seconds.
    ///   - chunkBytes: The largest data of a chunk, in bytes.
    ///   - logKey: The raw Ed25519 public key that tree heads are verified with.
    ///   - logKeySignature: The coordinator's signature over `logKey`.
    ///   - model: The model that the next round starts from; `nil` if there is none.
    ///   - treeHead: The newest tree head as a signed note.
    ///   - consistencyProof: The proof (RFC 6962, 2.1.2) that `treeHead` extends the one in the hello; empty if the
    ///     hello has none or one of another history.
    ///   - loss: The newest declaration of a loss, under the newest tree head; `nil` if there is none.
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
