import Blobs
import Federation
import Logging
import Protocol
import Transport
import Wire

/// A bulk connection: uploads of updates or models, and downloads of models and releases, each resumed from the last
/// durable byte.
struct BulkSession: ConnectionSession {
    let service: CoordinatorService
    let connection: ServerConnection
    let logger: Logger

    private var peer: Principal { connection.peer }

    func run() async throws { try await service.intake.counting { try await serve() } }

    private func serve() async throws {
        while let frame = try await next() {
            do {
                switch frame.message {
                case .offerBlob(let digest, let byteCount): try await receive(digest, byteCount, offer: frame.id)
                case .fetchBlob(let digest, let offset): try await send(digest, from: offset, inReplyTo: frame.id)
                case .describeModel(let name):
                    try await write(.modelDescription(await service.listing(of: name)), inReplyTo: frame.id)
                case .registerModel(let name, let blob) where peer.isOperator:
                    try await write(await service.register(name, blob, by: peer.path), inReplyTo: frame.id)
                case .goodbye: return
                default: throw Refusal(.invalid, "\(frame.message.name) is not expected on a bulk connection now")
                }
            } catch let refusal as Refusal {
                logger.warning(
                    "refused a message",
                    metadata: ["message": "\(frame.message.name)", "reason": "\(refusal.message)"]
                )
                try await connection.send(.refusal(refusal), inReplyTo: frame.id)
            }
        }
    }

    // MARK: Up

    private func receive(_ digest: Digest, _ byteCount: UInt64, offer: UInt64) async throws {
        switch peer.role {
        case .site(let site): try await receiveUpdate(digest, byteCount, of: site, offer: offer)
        case .operator: try await receiveModel(digest, byteCount, offer: offer)
        case .auditor, .coordinator: throw Refusal(.role, "\(peer.path) may not send blobs")
        }
    }

    /// Receives a model that the operator will register.
    private func receiveModel(_ digest: Digest, _ byteCount: UInt64, offer: UInt64) async throws {
        guard (8...CoordinatorLimits.modelBytes).contains(byteCount) else {
            throw Refusal(
                .limit,
                "a model of \(byteCount) bytes was offered; expected 8 to \(CoordinatorLimits.modelBytes)"
            )
        }
        try await service.modelArrives(digest, from: peer.path)
        do {
            try await spool(digest, byteCount, into: { [service] in service.arrivingModels }, seenBy: nil, offer: offer)
            await service.modelArrived(digest)
        } catch {
            await service.modelArrived(digest)
            throw error
        }
    }

    private func receiveUpdate(_ digest: Digest, _ byteCount: UInt64, of site: SiteID, offer: UInt64) async throws {
        guard let limit = await service.uploadLimit(for: site) else {
            throw Refusal(.conflict, "no campaign takes updates of \(site) now", hint: "wait for the next assignment")
        }
        guard byteCount > 0, byteCount <= limit else {
            throw Refusal(
                .limit,
                "an update of \(byteCount) bytes was offered; at most \(limit) are taken",
                hint: "send tensors in the layout of the base model"
            )
        }
        let lease = try await service.spools.lease(digest, of: site, close: connection.close)
        defer { service.spools.release(lease) }
        // Compare only with this site's uploads: a site must not learn what others have sent, or claim a blob by its
        // digest alone.
        let update = ArrivingUpdate(byteCount: byteCount)
        let store = { @Sendable [service] in try service.incoming.store(of: site) }
        if try await spool(digest, byteCount, into: store, seenBy: update, offer: offer) {
            // Without a result, the blob was here before, and a scan that was made then still holds.
            if let scanned = update.result { service.arrivedUpdates.store(scanned, digest, of: site) }
        }
    }

    /// Returns whether the blob is now complete.
    @discardableResult
    private func spool(
        _ digest: Digest,
        _ byteCount: UInt64,
        into store: @escaping @Sendable () throws -> BlobStore,
        seenBy observer: (any SpoolObserver)?,
        offer: UInt64
    ) async throws -> Bool {
        let workers = service.workers
        let spool = try await refusing {
            try await workers.runIfActive { try store().spool(digest, byteCount: byteCount, observer: observer) }
        }
        let connection = connection
        try await refusing {
            try await UploadIntake(spool, on: workers, budget: service.intake).run(offer: offer) {
                try await connection.inbox.next()
            } send: { message, id in
                try await write(message, inReplyTo: id)
            }
        }
        await service.setDiskFull(false)
        return spool.isComplete
    }

    /// A slow site is served; one that makes no progress at all is not waited for.
    private func next() async throws -> ClientFrame? {
        try await connection.next(within: .seconds(CoordinatorLimits.stalledSeconds), "the next message")
    }

    private func write(_ message: ServerMessage, inReplyTo id: UInt64) async throws {
        let connection = connection
        try await withTimeout(.seconds(CoordinatorLimits.stalledSeconds), "sending a chunk") {
            try await connection.send(message, inReplyTo: id)
        }
    }

    // MARK: Down

    private func send(_ digest: Digest, from start: UInt64, inReplyTo id: UInt64) async throws {
        let blobs = service.blobs, workers = service.workers
        let reader: BlobReader
        switch try await service.source(of: digest) {
        case .blob: reader = try await refusing { try await workers.runIfActive { try BlobReader(blobs, digest) } }
        case .file(let path): reader = try await refusing { try await workers.runIfActive { try BlobReader(path) } }
        case nil:
            throw Refusal(
                .role,
                "blob \(digest.short) is not a model that can be fetched",
                hint: "fetch the model of the newest assignment, or a model by its name"
            )
        }
        let sender = try DownloadSender(byteCount: reader.byteCount, from: start, chunkBytes: service.intake.chunkBytes)
        try await write(sender.start, inReplyTo: id)
        let (stall, connection) = (StallDetector.ofTransfer("sending a chunk"), connection)
        try await stall.over {
            var chunks = ChunkReader(reader, sender, on: workers)
            while let chunk = try await chunks.next() {
                try await connection.send(.blobChunk(chunk), inReplyTo: id)
                stall.progress()
            }
        }
    }

    /// Translates the store's failures into refusals.
    private func refusing<R>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as BlobError {
            switch error.code {
            case .full:
                await service.setDiskFull(true)
                throw Refusal(
                    .unavailable,
                    "the coordinator's disk is full",
                    hint: "try again later; what is durable is kept"
                )
            case .missing: throw Refusal(.notFound, error.message)
            case .busy: throw Refusal(.conflict, error.message, hint: "try again in a moment")
            case .damaged, .wrongOffset: throw Refusal(.invalid, error.message, hint: "offer the blob again")
            case .failed: throw Refusal(.unavailable, error.message, hint: "try again later")
            }
        }
    }
}
