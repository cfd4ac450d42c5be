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
    /// Whatever the coordinator says: a link must not be silent for an hour.
    var heartbeatSeconds: Int { min(600, max(1, welcome.heartbeatSeconds)) }

    func close() { connection.close() }
}
