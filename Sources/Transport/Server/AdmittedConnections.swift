import NIOConcurrencyHelpers
import NIOCore

/// The admitted connections, so that one can be closed when its certificate is no longer valid.
final class AdmittedConnections: Sendable {
    private let open = NIOLockedValueBox<[ObjectIdentifier: ServerConnection]>([:])

    /// Registers `connection` as open while `body` runs.
    func keeping(_ connection: ServerConnection, _ body: (ServerConnection) async throws -> Void) async throws {
        let key = ObjectIdentifier(connection.channel)
        open.withLockedValue { $0[key] = connection }
        defer { open.withLockedValue { $0[key] = nil } }
        try await body(connection)
    }

    var all: [ServerConnection] { open.withLockedValue { Array($0.values) } }
}
