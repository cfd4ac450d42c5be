import Federation
import Logging
import Transport
import Wire

/// One connection, from its hello to its end.
struct ClientSession {
    let service: CoordinatorService
    let connection: ServerConnection
    var logger: Logger

    init(_ service: CoordinatorService, _ connection: ServerConnection) {
        self.service = service
        self.connection = connection
        logger = service.logger
        logger[metadataKey: "peer"] = "\(connection.peer.path)"
    }

    func run() async throws {
        // Release what the greeting needed before the session, which may last for months.
        try await greeted()?.run()
    }

    /// Returns the session that follows the hello; `nil` if the peer was turned away.
    private func greeted() async throws -> (any ConnectionSession)? {
        let connection = connection
        let first = try await connection.next(within: .seconds(TransportLimits.helloSeconds), "the hello")
        guard let frame = first else { return nil }
        if case .goodbye(let reason) = frame.message {
            logger.warning("the peer left", metadata: ["reason": "\(reason)"])
            if let site = connection.peer.site {
                await service.observe(.turnedAway(site, reason: "it says: \(reason)"))
            }
            return nil
        }
        do {
            return try await welcome(frame)
        } catch let refusal as Refusal {
            logger.warning("refused a connection", metadata: ["reason": "\(refusal.message)"])
            try await connection.send(.refusal(refusal), inReplyTo: frame.id)
            return nil
        }
    }

    private func welcome(_ frame: ClientFrame) async throws -> any ConnectionSession {
        guard case .hello(let hello) = frame.message else {
            throw Refusal(.invalid, "the first message must be a hello, not \(frame.message.name)")
        }
        let version = try await version(hello)
        if let site = connection.peer.site { await service.recordSeen(site) }
        switch (connection.peer.role, hello.purpose) {
        case (.site(let site), .control):
            let (welcome, isRecovery) = try await service.greet(hello, version: version, site: site)
            try await connection.send(.welcome(welcome), inReplyTo: frame.id)
            if isRecovery {
                return RecoverySession(service: service, connection: connection, site: site, logger: logger)
            }
            return SiteSession(service: service, connection: connection, site: site, logger: logger)
        case (.site, .bulk), (.operator, .bulk), (.auditor, .bulk):
            connection.limit.allowBulk()
            try await connection.send(.welcome(try await service.welcome(version)), inReplyTo: frame.id)
            return BulkSession(service: service, connection: connection, logger: logger)
        case (.operator, .control), (.auditor, .control):
            try await connection.send(.welcome(try await service.welcome(version)), inReplyTo: frame.id)
            return OperatorSession(service: service, connection: connection, logger: logger)
        default: throw Refusal(.role, "\(connection.peer.path) may not open a \(hello.purpose.rawValue) connection")
        }
    }

    private func version(_ hello: Hello) async throws -> UInt32 {
        guard hello.versions.overlaps(WireLimits.versions) else {
            let refusal = Refusal(
                .version,
                """
                the client speaks protocol versions \(text(hello.versions)), the coordinator \
                \(text(WireLimits.versions))
                """,
                hint: "update the older of the two"
            )
            if let site = connection.peer.site { await service.observe(.turnedAway(site, reason: refusal.message)) }
            throw refusal
        }
        return min(hello.versions.upperBound, WireLimits.versions.upperBound)
    }

    private func text(_ versions: ClosedRange<UInt32>) -> String {
        versions.count == 1 ? "\(versions.lowerBound)" : "\(versions.lowerBound) to \(versions.upperBound)"
    }
}

/// What a connection is for, after its welcome.
protocol ConnectionSession: Sendable {
    /// Returns when the connection is over.
    func run() async throws
}
