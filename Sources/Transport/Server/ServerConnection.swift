import Federation
import Identity
import NIOConcurrencyHelpers
import NIOCore
import Wire

/// A connection from a client, after its certificate has been checked.
package struct ServerConnection: Sendable {
    package let peer: Principal
    package let certificate: Certificate
    package let remoteAddress: String
    package let limit: FrameLimit
    package let inbox: Inbox<ClientFrame>
    let outbound: NIOAsyncChannelOutboundWriter<ServerFrame>
    let channel: any Channel

    /// Returns once the event loop has taken the message; waits while more than ``SocketOptions/writeWaterMark`` is
    /// pending.
    ///
    /// - Throws: If the connection is closed.
    package func send(_ message: ServerMessage, inReplyTo id: UInt64 = 0) async throws {
        try await outbound.write(ServerFrame(inReplyTo: id, message))
        // The writer learns only from the event loop that the buffer is full, and a loop with many connections reports
        // it late. Without this turn, ten chunks were queued for each of two hundred sites that fetched a model.
        try await channel.eventLoop.submit {}.get()
    }

    /// Returns the next message; `nil` when the peer has closed the connection.
    ///
    /// A timer of the event loop closes a connection that is silent for too long. The two tasks of `withTimeout`
    /// would take several KiB on each of a thousand idle connections.
    ///
    /// - Parameters:
    ///   - duration: How long the peer may be silent.
    ///   - what: What is expected; the error names it.
    /// - Throws: `TransportError` if the peer was silent for too long, or an error of the connection.
    package func next(within duration: Duration, _ what: String) async throws -> ClientFrame? {
        let isLate = NIOLockedValueBox(false)
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(duration)) { [channel] in
            isLate.withLockedValue { $0 = true }
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        let received: Result<ClientFrame?, any Error>
        do { received = .success(try await inbox.next()) } catch { received = .failure(error) }
        if case .success(let frame?) = received { return frame }
        guard !isLate.withLockedValue({ $0 }) else {
            throw TransportError(.timeout, "\(what) took longer than \(duration)")
        }
        return try received.get()
    }

    /// Closes the connection; may be called from another task.
    package func close() { channel.close(promise: nil) }
}
