import NIOConcurrencyHelpers
import Protocol
import Wire

/// Requests and responses over one control connection, with unsolicited messages delivered separately.
package final class Conversation: Sendable {
    /// Receives one response.
    private typealias Slot = AsyncThrowingStream<ServerMessage, any Error>

    private struct State {
        var requests = RequestMultiplexer<Slot.Continuation>()
        var ended: (any Error)?
    }

    private let connection: ClientConnection
    private let state = NIOLockedValueBox(State())

    package init(_ connection: ClientConnection) { self.connection = connection }

    /// Reads until the connection ends. Responses go to the requests that wait for them, other messages to `unasked`.
    ///
    /// - Throws: The error that ended the connection.
    package func run(unasked: @Sendable (ServerMessage) async -> Void = { _ in }) async throws {
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

    /// Sends a request and returns the response.
    ///
    /// - Throws: The `Refusal` that the coordinator answered, or `TransportError` if the connection ends.
    package func ask(_ message: ClientMessage) async throws -> ServerMessage {
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
    /// Connects, sends one request and disconnects, as operators' commands do.
    ///
    /// - Returns: The response.
    /// - Throws: The `Refusal` that the coordinator answered, or an error if there is no connection.
    package func ask(_ message: ClientMessage, software: String) async throws -> ServerMessage {
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
