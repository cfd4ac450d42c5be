import Blobs
import Federation
import NIOPosix
import Transport
import Wire

/// Carries blobs to and from the coordinator, each from the last byte that arrived on.
struct BlobTransfer: Sendable {
    let dialer: Dialer
    let blobs: BlobStore
    let workers: NIOThreadPool
    let meter: TransferMeter
    let upload: TransferPolicy
    let download: TransferPolicy
    let check: DownloadCheck
    let clock: @Sendable () -> Timestamp
    /// The key of the ledger that this participant knows; `nil`: none yet.
    var knownLogKey: @Sendable () -> [UInt8]? = { nil }
    /// Hears where a transfer begins, in bytes.
    let started: @Sendable (Digest, UInt64) -> Void

    static let software = "kumiai 0.1.0"
    /// A transfer in which nothing moves for this long is begun again.
    static let stalledSeconds = 300

    // MARK: Up

    /// Sends a blob; returns when the coordinator has it on its disk under its digest.
    func upload(_ digest: Digest) async throws {
        let blobs = blobs
        let reader = try await workers.runIfActive {
            // A byte that rotted here would be found there after all of it had been sent.
            try blobs.verify(digest)
            return try BlobReader(blobs, digest)
        }
        try await withinHours(upload) {
            try await connected { connection in
                try await connection.send(.offerBlob(digest, byteCount: reader.byteCount), id: 2)
                let (start, complete) = try await progress(connection)
                guard !complete else { return }
                guard start <= reader.byteCount else { throw TransportError(.unexpected, "the coordinator has more bytes than the blob") }
                started(digest, start)
                meter.begin(total: reader.byteCount, done: start)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await sendChunks(reader, from: start, connection) }
                    group.addTask { while try await !progress(connection).complete {} }
                    // The sender may end first; the answer to the last chunk ends the upload.
                    try await group.waitForAll()
                }
            }
        }
    }

    private func sendChunks(_ reader: BlobReader, from start: UInt64, _ connection: ClientConnection) async throws {
        var pacer = Pacer(upload, clock: clock)
        let chunkBytes = min(WireLimits.chunkBytes, pacer.chunkBytes, max(1, connection.welcome?.chunkBytes ?? 0))
        var offset = start
        while offset < reader.byteCount {
            let position = offset
            let count = min(chunkBytes, Int(min(UInt64(Int.max), reader.byteCount - position)))
            try await pacer.wait(for: count)
            let payload = try await workers.runIfActive { try Payload(capacity: count) { try reader.read(into: $0, at: position) } }
            guard payload.count > 0 else { throw BlobError(.damaged, "the update became shorter while it was read") }
            try await connection.send(.blobChunk(BlobChunk(offset: offset, payload: payload)), id: 3)
            offset += UInt64(payload.count)
            meter.sent(payload.count)
        }
    }

    private func progress(_ connection: ClientConnection) async throws -> (durable: UInt64, complete: Bool) {
        guard let frame = try await connection.inbox.next() else { throw TransportError(.closed, "the coordinator closed the connection during the upload") }
        meter.heard()
        switch frame.message {
        case .blobProgress(let durable, let complete): return (durable, complete)
        case .refusal(let refusal): throw refusal
        default: throw TransportError(.unexpected, "the coordinator answered an upload with something else")
        }
    }

    // MARK: Down

    /// Fetches a blob into the store, if it is not there.
    func download(_ digest: Digest, byteCount: UInt64) async throws {
        let (blobs, check) = (blobs, check)
        let spool = try await workers.runIfActive {
            try check.check(digest, byteCount: byteCount)
            return try blobs.spool(digest, byteCount: byteCount)
        }
        guard !spool.isComplete else { return try await verify(digest) }
        try await withinHours(download) {
            let start = spool.receivedBytes
            started(digest, start)
            meter.begin(total: byteCount, done: start)
            do {
                try await connected { connection in
                    try await connection.send(.fetchBlob(digest, offset: start), id: 2)
                    try await receive(into: spool, connection)
                }
            } catch {
                try? await workers.runIfActive { try spool.checkpoint() }
                throw error
            }
        }
    }

    /// A byte of the model that rotted since it was fetched would be in the update: it is fetched again.
    private func verify(_ digest: Digest) async throws {
        let blobs = blobs
        do {
            try await workers.runIfActive { try blobs.verify(digest) }
        } catch let error as BlobError where error.code == .damaged {
            blobs.remove(digest)
            throw error
        }
    }

    private func receive(into spool: Spool, _ connection: ClientConnection) async throws {
        var pacer = Pacer(download, clock: clock)
        var hasBegun = false
        while !spool.isComplete {
            guard let frame = try await connection.inbox.next() else {
                throw TransportError(.closed, "the coordinator closed the connection during the download")
            }
            switch frame.message {
            case .blobStart(let byteCount):
                guard !hasBegun else { throw TransportError(.unexpected, "the coordinator began the same blob twice") }
                hasBegun = true
                guard byteCount == spool.byteCount else {
                    throw TransportError(.unexpected, "the model has \(byteCount) bytes, \(spool.byteCount) were announced")
                }
            case .blobChunk(let chunk):
                meter.received(chunk.payload.count)
                try await workers.runIfActive { _ = try chunk.payload.withUnsafeBytes { try spool.append($0, at: chunk.offset) } }
                if !spool.isComplete { try await pacer.wait(for: chunk.payload.count) }
            case .refusal(let refusal): throw refusal
            default: throw TransportError(.unexpected, "the coordinator answered a fetch with something else")
            }
        }
    }

    // MARK: Both

    /// Goes on in the site's hours as often as it takes.
    private func withinHours(_ policy: TransferPolicy, _ body: () async throws -> Void) async throws {
        while true {
            meter.pause(true)
            defer { meter.pause(false) }
            try await Pacer.waitForHours(policy, clock: clock)
            meter.pause(false)
            do {
                return try await body()
            } catch is Pacer.OutOfHours {
                continue
            }
        }
    }

    private func connected(_ body: @escaping @Sendable (ClientConnection) async throws -> Void) async throws {
        meter.heard()
        try await dialer.withConnection(.bulk, software: Self.software) { connection in
            guard let known = knownLogKey(), let welcome = connection.welcome, welcome.logKey != known else { return try await carry(body, connection) }
            throw TransportError(.unexpected, "the coordinator's ledger has another key than the one that this site has known")
        }
    }

    private func carry(_ body: @escaping @Sendable (ClientConnection) async throws -> Void, _ connection: ClientConnection) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body(connection) }
            group.addTask { try await meter.watch(seconds: Self.stalledSeconds) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
