import NIOConcurrencyHelpers
import Protocol
import Wire

/// Questions and answers over one control connection, with what comes unasked on the side.
public final class Conversation: Sendable {
    /// Where one answer goes.
    private typealias Slot = AsyncThrowingStream<ServerMessage, any Error>

    private struct State {
        var requests = RequestMultiplexer<Slot.Continuation>()
        var ended: (any Error)?
    }

    private let connection: ClientConnection
    private let state = NIOLockedValueBox(State())

    public init(_ connection: ClientConnection) { self.connection = connection }

    /// Reads until the connection ends; answers go to the one who asked, the rest to `unasked`.
    public func run(unasked: @Sendable (ServerMessage) async -> Void = { _ in }) async throws {
        do {
            while let frame = try await connection.inbox.next() {
                let slot = state.withLockedValue { $0.requests.take(frame.inReplyTo) }
                if let slot { slot.yield(frame.message) } else { await unasked(frame.message) }
            }
            end(TransportError(.closed, "the coordinator closed the connection"))
        } catch {
            end(error)
            throw error
        }
    }

    /// Asks and waits for the answer; a refusal is thrown.
    public func ask(_ message: ClientMessage) async throws -> ServerMessage {
        let (slot, filler) = Slot.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = try state.withLockedValue { state in
            if let ended = state.ended { throw ended }
            return state.requests.add(filler)
        }
        defer { _ = state.withLockedValue { $0.requests.take(id) } }
        try await connection.send(message, id: id)
        for try await answer in slot {
            if case .refusal(let refusal) = answer { throw refusal }
            return answer
        }
        throw CancellationError()
    }

    private func end(_ error: any Error) {
        let waiting = state.withLockedValue { state in
            state.ended = error
            return state.requests.takeAll()
        }
        for slot in waiting { slot.finish(throwing: error) }
    }
}

extension Dialer {
    /// Connects, asks one question and leaves: what operators' commands do.
    public func ask(_ message: ClientMessage, software: String) async throws -> ServerMessage {
        try await withConnection(.control, software: software) { connection in
            let conversation = Conversation(connection)
            return try await withThrowingTaskGroup(of: ServerMessage?.self) { group in
                group.addTask {
                    try await conversation.run()
                    return nil
                }
                group.addTask {
                    try await withTimeout(.seconds(TransportLimits.answerSeconds), "the answer") {
                        try await conversation.ask(message)
                    }
                }
                defer { group.cancelAll() }
                while let answer = try await group.next() {
                    if let answer { return answer }
                }
                throw TransportError(.closed, "the coordinator closed the connection")
            }
        }
    }
}
