import Blobs
import NIOPosix
import Protocol
import Transport
import Wire

/// Receives one upload from its link and stores it, with several chunks in progress at a time.
package struct UploadIntake: Sendable {
    private let spool: Spool
    private let flow: UploadPipeline
    private let stall = StallDetector.ofTransfer("the next chunk")

    package init(_ spool: Spool, on pool: NIOThreadPool, budget: ChunkBudget) {
        self.spool = spool
        flow = UploadPipeline(spool, on: pool, budget)
    }

    /// Returns when the whole blob is durable under its digest, or when the sender has left.
    ///
    /// - Parameters:
    ///   - offer: The number of the message that offered the blob.
    ///   - next: Returns the next message; `nil` when the sender has left.
    ///   - send: Sends a reply to a message, to report what is durable.
    /// - Throws: `BlobError` if the disk fails, a `Refusal` if the sender violates the protocol.
    package func run(
        offer: UInt64,
        next: @escaping @Sendable () async throws -> ClientFrame?,
        send: @escaping @Sendable (ServerMessage, UInt64) async throws -> Void
    ) async throws {
        let receiver = UploadReceiver(
            spool.digest,
            byteCount: spool.byteCount,
            received: spool.receivedBytes,
            isComplete: spool.isComplete
        )
        try await send(receiver.progress(durable: spool.durableBytes, isComplete: spool.isComplete), offer)
        guard !receiver.wasComplete else { return }
        do {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask { try await receive(receiver, next) }
                group.addTask { try await sendProgress(receiver, offer, send) }
                group.addTask { try await stall.watch() }
                defer { group.cancelAll() }
                // If the sender has left or has sent everything, finish processing what has arrived.
                while let isOver = try await group.next(), !isOver {}
            }
        } catch {
            await flow.end()
            throw error
        }
        await flow.end()
    }

    /// Returns whether the sender has left before it had sent everything.
    private func receive(_ receiver: UploadReceiver, _ next: @Sendable () async throws -> ClientFrame?) async throws
        -> Bool
    {
        var receiver = receiver
        while !receiver.hasAll {
            try await flow.room()
            guard let frame = try await next() else { return true }
            let chunk = try receiver.take(frame.message)
            stall.progress()
            flow.append(chunk)
        }
        return false
    }

    private func sendProgress(
        _ receiver: UploadReceiver,
        _ offer: UInt64,
        _ send: @Sendable (ServerMessage, UInt64) async throws -> Void
    ) async throws -> Bool {
        for try await progress in flow.progress {
            stall.progress()
            switch progress {
            case .durable(let count): try await send(receiver.progress(durable: count, isComplete: false), offer)
            case .complete: try await send(receiver.progress(durable: spool.byteCount, isComplete: true), offer)
            }
        }
        return true
    }
}
