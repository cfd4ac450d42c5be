import Identity
import Transport
import Wire

/// The control connection while it is up.
struct WorkerLink: Sendable {
    let conversation: Conversation
    let connection: ClientConnection
    let welcome: Welcome

    /// The key that the coordinator's ledger is signed with.
    var logKey: [UInt8] { welcome.logKey }
    var heartbeatSeconds: Int { max(1, welcome.heartbeatSeconds) }

    func close() { connection.close() }
}
