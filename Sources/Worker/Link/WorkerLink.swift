import Identity
import Transport

/// The control connection while it is up.
struct WorkerLink: Sendable {
    let conversation: Conversation
    let connection: ClientConnection
    /// The key that the coordinator's ledger is signed with.
    let logKey: [UInt8]
    let heartbeatSeconds: Int

    func close() { connection.close() }
}
