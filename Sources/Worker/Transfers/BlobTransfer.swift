import Blobs
import Federation
import NIOConcurrencyHelpers
import NIOPosix
import Transport
import Wire

/// Carries blobs to and from the coordinator, each from the last durable byte on.
struct BlobTransfer: Sendable {
    let dialer: Dialer
    let blobs: BlobStore
    let workers: NIOThreadPool
    let meter: TransferMeter

    static let software = "kumiai 0.1.0"

    /// Sends a blob; returns when the coordinator has it on its disk under its digest.
    func upload(_ digest: Digest) async throws {
        let blobs = blobs
        let reader = try await workers.runIfActive { try BlobReader(blobs, digest) }
        try await dialer.withConnection(.bulk, software: Self.software) { connection in
            try await connection.send(.offerBlob(digest, byteCount: reader.byteCount), id: 2)
            let (start, complete) = try await progress(connection)
            guard !complete else { return }
            guard start <= reader.byteCount else { throw TransportError(.unexpected, "the coordinator has more bytes than the blob") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await sendChunks(reader, from: start, connection) }
                group.addTask { while try await !progress(connection).complete {} }
                // The sender may end first; the answer to the last chunk ends the upload.
                try await group.waitForAll()
            }
        }
    }

    private func sendChunks(_ reader: BlobReader, from start: UInt64, _ connection: ClientConnection) async throws {
        let chunkBytes = min(WireLimits.chunkBytes, max(1, connection.welcome?.chunkBytes ?? 0))
        var offset = start
        meter.begin(total: reader.byteCount, done: start)
        while offset < reader.byteCount {
            let position = offset
            let payload = try await workers.runIfActive {
                try Payload(capacity: min(chunkBytes, Int(reader.byteCount - position))) { try reader.read(into: $0, at: position) }
            }
            try await connection.send(.blobChunk(BlobChunk(offset: offset, payload: payload)), id: 3)
            offset += UInt64(payload.count)
            meter.sent(payload.count)
        }
    }

    private func progress(_ connection: ClientConnection) async throws -> (durable: UInt64, complete: Bool) {
        guard let frame = try await connection.inbox.next() else { throw TransportError(.closed, "the coordinator closed the connection during the upload") }
        switch frame.message {
        case .blobProgress(let durable, let complete): return (durable, complete)
        case .refusal(let refusal): throw refusal
        default: throw TransportError(.unexpected, "the coordinator answered an upload with something else")
        }
    }

    /// Fetches a blob into the store, if it is not there.
    func download(_ digest: Digest, byteCount: UInt64) async throws {
        let blobs = blobs
        let spool = try await workers.runIfActive { try blobs.spool(digest, byteCount: byteCount) }
        guard !spool.isComplete else { return }
        let start = spool.durableBytes
        meter.begin(total: byteCount, done: start)
        do {
            try await dialer.withConnection(.bulk, software: Self.software) { connection in
                try await connection.send(.fetchBlob(digest, offset: start), id: 2)
                try await receive(into: spool, connection)
            }
        } catch {
            try? await workers.runIfActive { try spool.checkpoint() }
            throw error
        }
    }

    private func receive(into spool: Spool, _ connection: ClientConnection) async throws {
        while !spool.isComplete {
            guard let frame = try await connection.inbox.next() else { throw TransportError(.closed, "the coordinator closed the connection during the download") }
            switch frame.message {
            case .blobStart(let byteCount):
                guard byteCount == spool.byteCount else { throw TransportError(.unexpected, "the model has \(byteCount) bytes, \(spool.byteCount) were announced") }
            case .blobChunk(let chunk):
                meter.received(chunk.payload.count)
                try await workers.runIfActive { _ = try chunk.payload.withUnsafeBytes { try spool.append($0, at: chunk.offset) } }
            case .refusal(let refusal): throw refusal
            default: throw TransportError(.unexpected, "the coordinator answered a fetch with something else")
            }
        }
    }
}

/// Counts what crosses the link, and how far the current transfer is.
final class TransferMeter: Sendable {
    private struct Counts {
        var up: UInt64 = 0
        var down: UInt64 = 0
        var total: UInt64 = 0
        var done: UInt64 = 0
    }

    private let counts = NIOLockedValueBox(Counts())

    func begin(total: UInt64, done: UInt64) { counts.withLockedValue { ($0.total, $0.done) = (total, done) } }
    func sent(_ bytes: Int) {
        counts.withLockedValue {
            $0.up += UInt64(bytes)
            $0.done += UInt64(bytes)
        }
    }
    func received(_ bytes: Int) {
        counts.withLockedValue {
            $0.down += UInt64(bytes)
            $0.done += UInt64(bytes)
        }
    }

    var up: UInt64 { counts.withLockedValue { $0.up } }
    var down: UInt64 { counts.withLockedValue { $0.down } }
    /// Of the current transfer, 0 to 1.
    var progress: Double { counts.withLockedValue { $0.total == 0 ? 0 : Double($0.done) / Double($0.total) } }
}
