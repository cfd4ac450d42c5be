import Blobs
import Federation
import NIOPosix
import Protocol
import Transport
import Wire

/// Transfers blobs to and from the coordinator; each transfer resumes after the last byte that arrived.
struct BlobTransfer: Sendable {
    let dialer: Dialer
    let blobs: BlobStore
    let workers: NIOThreadPool
    let meter: TransferMeter
    let upload: TransferPolicy
    let download: TransferPolicy
    let check: DownloadCheck
    let clock: @Sendable () -> Timestamp
    /// Returns the ledger key that this participant has seen; `nil` if it has seen none yet.
    var knownLogKey: @Sendable () throws -> [UInt8]? = { nil }
    /// Called with the byte offset at which a transfer starts.
    let started: @Sendable (Digest, UInt64) -> Void

    static let software = "kumiai 0.1.0"

    // MARK: Upload

    /// Sends a blob; returns when the coordinator has stored it durably under its digest.
    func upload(_ digest: Digest) async throws {
        let blobs = blobs
        let reader = try await workers.runIfActive { try BlobReader(blobs, digest) }
        do { try await send(digest, reader) } catch let refusal as Refusal {
            // The coordinator may have refused the hash: check whether the file is damaged here.
            try await workers.runIfActive { try blobs.verify(digest) }
            throw refusal
        }
    }

    private func send(_ digest: Digest, _ reader: BlobReader) async throws {
        try await withinHours(upload) {
            try await connected { connection in
                var sender = UploadSender(digest, byteCount: reader.byteCount, chunkBytes: chunkBytes(connection))
                try await connection.send(sender.offer, id: 2)
                guard case .begin(let start) = try sender.handle(try await answer(connection)) else { return }
                started(digest, start)
                meter.begin(total: reader.byteCount, done: start)
                try await exchange(sender, reader, connection)
            }
        }
    }

    private func chunkBytes(_ connection: ClientConnection) -> Int {
        min(Pacer(upload, clock: clock).chunkBytes, connection.welcome?.chunkBytes ?? 0)
    }

    /// Sends chunks and receives answers at the same time. The upload ends with the coordinator's answer that it is
    /// complete.
    private func exchange(_ sender: UploadSender, _ reader: BlobReader, _ connection: ClientConnection) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [sender] in
                var sender = sender
                try await sendChunks(&sender, reader, connection)
            }
            group.addTask { [sender] in
                var listener = sender
                while !listener.isComplete { _ = try listener.handle(try await answer(connection)) }
            }
            try await group.waitForAll()
        }
    }

    private func sendChunks(_ sender: inout UploadSender, _ reader: BlobReader, _ connection: ClientConnection)
        async throws
    {
        var pacer = Pacer(upload, clock: clock)
        while let range = sender.nextRange() {
            try await pacer.wait(for: range.count)
            let payload = try await workers.runIfActive {
                try Payload(capacity: range.count) { try reader.read(into: $0, at: range.lowerBound) }
            }
            guard payload.count == range.count else {
                throw BlobError(.damaged, "the update's file became shorter while it was read")
            }
            try await connection.send(.blobChunk(BlobChunk(offset: range.lowerBound, payload: payload)), id: 3)
            meter.sent(payload.count)
        }
    }

    private func answer(_ connection: ClientConnection) async throws -> ServerMessage {
        guard let frame = try await connection.inbox.next() else {
            throw TransportError(.closed, "the coordinator closed the connection during the upload")
        }
        meter.messageReceived()
        return frame.message
    }

    // MARK: Download

    /// Fetches a blob into the store. If it is already there, only verifies it.
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
                    try await receive(into: spool, connection)
                }
            } catch {
                try? await workers.runIfActive { try spool.checkpoint() }
                throw error
            }
        }
    }

    /// Verifies a stored blob and removes it if it is damaged, so that it is fetched again. Otherwise damage on disk
    /// would affect the update.
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
        var receiver = DownloadReceiver(spool.digest, byteCount: spool.byteCount, received: spool.receivedBytes)
        try await connection.send(receiver.request, id: 2)
        while !spool.isComplete {
            guard let frame = try await connection.inbox.next() else {
                throw TransportError(.closed, "the coordinator closed the connection during the download")
            }
            guard let chunk = try receiver.handle(frame.message) else { continue }
            meter.received(chunk.payload.count)
            try await workers.runIfActive {
                _ = try chunk.payload.withUnsafeBytes { try spool.append($0, at: chunk.offset) }
            }
            if !spool.isComplete { try await pacer.wait(for: chunk.payload.count) }
        }
    }

    // MARK: Both

    /// Runs `body` during the site's hours, and resumes it in the next hours until it is done.
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
        meter.messageReceived()
        try await dialer.withConnection(.bulk, software: Self.software) { connection in
            guard let known = try knownLogKey(), let welcome = connection.welcome, welcome.logKey != known else {
                return try await runUntilStalled(body, connection)
            }
            throw TransportError(
                .unexpected,
                "the key of the coordinator's ledger is not the one that this site has seen before"
            )
        }
    }

    private func runUntilStalled(
        _ body: @escaping @Sendable (ClientConnection) async throws -> Void,
        _ connection: ClientConnection
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body(connection) }
            group.addTask { try await meter.stall.watch() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
