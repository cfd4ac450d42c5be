import Federation
import Logging
import Transport
import Wire

/// A worker's control connection: heartbeats and submissions in, assignments out.
struct SiteSession: ConnectionSession {
    let service: CoordinatorService
    let connection: ServerConnection
    let site: SiteID
    let logger: Logger

    func run() async throws {
        let link = await service.arrived(site, certificate: connection.certificate.term)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await send(link) }
                group.addTask { try await receive(link) }
                // The task that ends first ends the connection.
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            await service.left(site, link)
            throw error
        }
        await service.left(site, link)
    }

    private func send(_ link: SiteLink) async throws {
        let connection = connection
        for await instruction in link.instructions {
            let message = await service.message(instruction)
            try await withTimeout(.seconds(CoordinatorLimits.sendTimeoutSeconds), "sending to the site") {
                try await connection.send(message)
            }
        }
    }

    private func receive(_ link: SiteLink) async throws {
        let silence = Duration.seconds(service.configuration.heartbeatSeconds * CoordinatorLimits.silentHeartbeats)
        let connection = connection
        while let frame = try await connection.next(within: silence, "the next heartbeat") {
            do {
                guard let answer = try await answer(frame.message, link) else { return }
                try await connection.send(answer, inReplyTo: frame.id)
            } catch let refusal as Refusal {
                logger.warning(
                    "refused a message",
                    metadata: ["message": "\(frame.message.name)", "reason": "\(refusal.message)"]
                )
                try await connection.send(.refusal(refusal), inReplyTo: frame.id)
            }
        }
    }

    private func answer(_ message: ClientMessage, _ link: SiteLink) async throws -> ServerMessage? {
        switch message {
        case .heartbeat(let heartbeat):
            return .heartbeatSeen(await service.recordHeartbeat(site, heartbeat, link))
        case .submitUpdate(let update, let seenEntries):
            return try await service.submit(
                update,
                from: site,
                certificate: connection.certificate,
                seenEntries: seenEntries
            )
        case .presentReceipt(let receipt): return .receiptSeen(isHeld: try await service.take(receipt, from: site))
        case .goodbye(let reason):
            logger.info("the site says goodbye", metadata: ["reason": "\(reason)"])
            await service.observe(.turnedAway(site, reason: "it says: \(reason)"))
            return nil
        default:
            throw Refusal(
                .role,
                "a site may not send \(message.name)",
                hint: "operators' commands need an operator's certificate"
            )
        }
    }
}
