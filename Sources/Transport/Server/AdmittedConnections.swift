import NIOConcurrencyHelpers
import NIOCore

/// The connections whose certificates were admitted: one that does not hold any more must not stay until its peer
/// leaves.
final class AdmittedConnections: Sendable {
    private let open = NIOLockedValueBox<[ObjectIdentifier: ServerConnection]>([:])

    /// Counts `connection` as open for as long as `body` takes.
    func keeping(_ connection: ServerConnection, _ body: (ServerConnection) async throws -> Void) async throws {
        let key = ObjectIdentifier(connection.channel)
        open.withLockedValue { $0[key] = connection }
        defer { open.withLockedValue { $0[key] = nil } }
        try await body(connection)
    }

    var all: [ServerConnection] { open.withLockedValue { Array($0.values) } }
}
