import Protocol
import Transport
import Wire

/// An established control connection.
final class WorkerLink: Sendable {
    let id: LinkID
    let connection: ClientConnection
    let welcome: Welcome
    /// The frames to send, in order.
    let outgoing: AsyncStream<ClientFrame>
    private let queue: AsyncStream<ClientFrame>.Continuation

    init(_ id: LinkID, _ connection: ClientConnection, _ welcome: Welcome) {
        self.id = id
        self.connection = connection
        self.welcome = welcome
        (outgoing, queue) = AsyncStream.makeStream()
    }

    /// The interval of heartbeats: at most 600 seconds, even if the coordinator asks for a longer one.
    var heartbeatSeconds: Int { min(600, max(1, welcome.heartbeatSeconds)) }

    func send(_ message: ClientMessage, id: UInt64) { queue.yield(ClientFrame(id: id, message)) }

    /// Ends the connection after everything that was passed to ``send(_:id:)`` has been sent.
    func close() { queue.finish() }
}
