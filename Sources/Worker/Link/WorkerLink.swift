import Protocol
import Transport
import Wire

/// The control connection while it is up, as the worker's shell sees it.
final class WorkerLink: Sendable {
    let id: LinkID
    let connection: ClientConnection
    let welcome: Welcome
    /// What is to be sent, in order.
    let outgoing: AsyncStream<ClientFrame>
    private let queue: AsyncStream<ClientFrame>.Continuation

    init(_ id: LinkID, _ connection: ClientConnection, _ welcome: Welcome) {
        self.id = id
        self.connection = connection
        self.welcome = welcome
        (outgoing, queue) = AsyncStream.makeStream()
    }

    /// Whatever the coordinator says: a link must not be silent for an hour.
    var heartbeatSeconds: Int { min(600, max(1, welcome.heartbeatSeconds)) }

    func send(_ message: ClientMessage, id: UInt64) { queue.yield(ClientFrame(id: id, message)) }

    /// Ends the connection when all that was given to ``send(_:id:)`` before is on its way.
    func close() { queue.finish() }
}
