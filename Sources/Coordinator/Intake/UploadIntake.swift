import Blobs
import NIOPosix
import Protocol
import Transport
import Wire

/// Takes one upload from its link to the disk, with several chunks in hand.
public struct UploadIntake: Sendable {
    private let spool: Spool
    private let flow: SpoolFlow
    private let stall = StallWatch()

    public init(_ spool: Spool, on pool: NIOThreadPool, budget: IntakeBudget) {
        self.spool = spool
        flow = SpoolFlow(spool, on: pool, budget)
    }

    /// Returns when all of it is durable under its digest, or the sender has left.
    ///
    /// - Parameters:
    ///   - offer: the number of the message that offered the blob.
    ///   - next: the next message; `nil` when the sender has left.
    ///   - send: says what is durable, in reply to a message.
    /// - Throws: `BlobError` where the disk fails, a `Refusal` where the sender does not keep to the protocol.
    public func run(
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
                group.addTask { try await tell(receiver, offer, send) }
                group.addTask { try await stall.run("the next chunk") }
                defer { group.cancelAll() }
                // The sender may have left, or have sent all: then what it has sent comes to its end.
                while let isOver = try await group.next(), !isOver {}
            }
        } catch {
            await flow.end()
            throw error
        }
        await flow.end()
    }

    /// Returns whether the sender has left before it had sent all.
    private func receive(_ receiver: UploadReceiver, _ next: @Sendable () async throws -> ClientFrame?) async throws
        -> Bool
    {
        var receiver = receiver
        while !receiver.hasAll {
            try await flow.room()
            guard let frame = try await next() else { return true }
            let chunk = try receiver.take(frame.message)
            stall.moved()
            flow.append(chunk)
        }
        return false
    }

    private func tell(
        _ receiver: UploadReceiver,
        _ offer: UInt64,
        _ send: @Sendable (ServerMessage, UInt64) async throws -> Void
    ) async throws -> Bool {
        for try await news in flow.news {
            stall.moved()
            switch news {
            case .durable(let count): try await send(receiver.progress(durable: count, isComplete: false), offer)
            case .complete: try await send(receiver.progress(durable: spool.byteCount, isComplete: true), offer)
            }
        }
        return true
    }
}
