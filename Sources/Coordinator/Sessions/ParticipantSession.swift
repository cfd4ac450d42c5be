import Federation
import Logging
import Transport
import Wire

/// One connection from its hello to its end.
struct ParticipantSession {
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
        let connection = connection
        let first = try await withTimeout(.seconds(TransportLimits.helloSeconds), "the hello") { try await connection.inbox.next() }
        guard let frame = first else { return }
        if case .goodbye(let reason) = frame.message {
            logger.warning("the peer left", metadata: ["reason": "\(reason)"])
            if let site = connection.peer.site { await service.observe(.turnedAway(site, reason: "it says: \(reason)")) }
            return
        }
        guard case .hello(let hello) = frame.message else {
            return try await refuse(Refusal(.invalid, "the first message must be a hello, not \(frame.message.name)"), frame.id)
        }
        guard hello.versions.overlaps(WireLimits.versions) else {
            let refusal = Refusal(
                .version, "the client speaks protocol versions \(text(hello.versions)), the coordinator \(text(WireLimits.versions))",
                hint: "bring the older of the two up to date")
            if let site = connection.peer.site { await service.observe(.turnedAway(site, reason: refusal.message)) }
            return try await refuse(refusal, frame.id)
        }
        if let site = connection.peer.site { await service.saw(site) }
        let version = min(hello.versions.upperBound, WireLimits.versions.upperBound)
        switch (connection.peer.role, hello.purpose) {
        case (.site(let site), .control):
            let greeting: CoordinatorService.Greeting
            do { greeting = try await service.greet(hello, version: version, site: site) } catch let refusal as Refusal {
                return try await refuse(refusal, frame.id)
            }
            try await connection.send(.welcome(greeting.welcome), inReplyTo: frame.id)
            if greeting.isRecovery {
                try await RecoverySession(service: service, connection: connection, site: site, logger: logger).run()
            } else {
                try await SiteSession(service: service, connection: connection, site: site, logger: logger).run()
            }
        case (.site, .bulk), (.operator, .bulk), (.auditor, .bulk):
            connection.limit.allowBulk()
            try await service.intake.counting {
                try await connection.send(.welcome(try await service.welcome(version)), inReplyTo: frame.id)
                try await BulkSession(service: service, connection: connection, logger: logger).run()
            }
        case (.operator, .control), (.auditor, .control):
            try await connection.send(.welcome(try await service.welcome(version)), inReplyTo: frame.id)
            try await OversightSession(service: service, connection: connection, logger: logger).run()
        default:
            let refusal = Refusal(.role, "\(connection.peer.path) may not open a \(hello.purpose.rawValue) connection")
            try await refuse(refusal, frame.id)
        }
    }

    private func refuse(_ refusal: Refusal, _ id: UInt64) async throws {
        logger.warning("refused a connection", metadata: ["reason": "\(refusal.message)"])
        try await connection.send(.refusal(refusal), inReplyTo: id)
    }

    private func text(_ versions: ClosedRange<UInt32>) -> String {
        versions.count == 1 ? "\(versions.lowerBound)" : "\(versions.lowerBound) to \(versions.upperBound)"
    }
}
