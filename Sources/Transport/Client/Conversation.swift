import NIOConcurrencyHelpers
import Wire

/// Questions and answers over one control connection, with what comes unasked on the side.
public final class Conversation: Sendable {
    private struct State {
        var nextID: UInt64 = 2
        var waiting: [UInt64: CheckedContinuation<ServerMessage, any Error>] = [:]
        var ended: (any Error)?
    }

    private let connection: ClientConnection
    private let state = NIOLockedValueBox(State())

    public init(_ connection: ClientConnection) { self.connection = connection }

    /// Reads until the connection ends; answers go to the one who asked, the rest to `unasked`.
    public func run(unasked: @Sendable (ServerMessage) async -> Void = { _ in }) async throws {
        do {
            while let frame = try await connection.inbox.next() {
                let waiting = state.withLockedValue { $0.waiting.removeValue(forKey: frame.inReplyTo) }
                if let waiting { waiting.resume(returning: frame.message) } else { await unasked(frame.message) }
            }
            end(TransportError(.closed, "the coordinator closed the connection"))
        } catch {
            end(error)
            throw error
        }
    }

    /// Asks and waits for the answer; a refusal is thrown.
    public func ask(_ message: ClientMessage) async throws -> ServerMessage {
        let id = state.withLockedValue { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        let answer: ServerMessage = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let ended = state.withLockedValue { state -> (any Error)? in
                    if state.ended == nil { state.waiting[id] = continuation }
                    return state.ended
                }
                if let ended {
                    continuation.resume(throwing: ended)
                    return
                }
                if Task.isCancelled { return giveUp(id, CancellationError()) }
                Task {
                    do { try await connection.send(message, id: id) } catch { giveUp(id, error) }
                }
            }
        } onCancel: {
            giveUp(id, CancellationError())
        }
        if case .refusal(let refusal) = answer { throw refusal }
        return answer
    }

    private func giveUp(_ id: UInt64, _ error: any Error) {
        state.withLockedValue { $0.waiting.removeValue(forKey: id) }?.resume(throwing: error)
    }

    private func end(_ error: any Error) {
        let waiting = state.withLockedValue { state in
            state.ended = error
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume(throwing: error) }
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
                    try await withTimeout(.seconds(TransportLimits.answerSeconds), "the answer") { try await conversation.ask(message) }
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
