import Federation
import Logging
import Transport
import Wire

/// A worker's control connection: heartbeats and submissions in, assignments out.
struct SiteSession {
    let service: CoordinatorService
    let connection: ServerConnection
    let site: SiteID
    let logger: Logger

    func run() async throws {
        let presence = SitePresence(certificate: connection.certificate.term)
        await service.arrived(site, presence)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await send(presence) }
                group.addTask { try await receive(presence) }
                // Whichever ends first ends the connection.
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            await service.left(site, presence)
            throw error
        }
        await service.left(site, presence)
    }

    private func send(_ presence: SitePresence) async throws {
        let connection = connection
        for await message in presence.outgoing {
            try await withTimeout(.seconds(CoordinatorLimits.sendSeconds), "sending to the site") { try await connection.send(message) }
        }
    }

    private func receive(_ presence: SitePresence) async throws {
        let silence = Duration.seconds(service.configuration.heartbeatSeconds * CoordinatorLimits.silentHeartbeats)
        let connection = connection
        while let frame = try await withTimeout(silence, "the next heartbeat", { try await connection.inbox.next() }) {
            do {
                guard let answer = try await answer(frame.message, presence) else { return }
                try await connection.send(answer, inReplyTo: frame.id)
            } catch let refusal as Refusal {
                logger.warning("refused a message", metadata: ["message": "\(frame.message.name)", "reason": "\(refusal.message)"])
                try await connection.send(.refusal(refusal), inReplyTo: frame.id)
            }
        }
    }

    private func answer(_ message: ClientMessage, _ presence: SitePresence) async throws -> ServerMessage? {
        switch message {
        case .heartbeat(let heartbeat):
            return .heartbeatSeen(await service.beat(site, heartbeat, presence))
        case .submitUpdate(let update, let seenEntries):
            return try await service.submit(update, from: site, certificate: connection.certificate, seenEntries: seenEntries)
        case .presentReceipt(let receipt): return .receiptSeen(isHeld: try await service.take(receipt, from: site))
        case .goodbye(let reason):
            logger.info("the site says goodbye", metadata: ["reason": "\(reason)"])
            await service.turnedAway(site, "it says: \(reason)")
            return nil
        default:
            throw Refusal(.role, "a site may not send \(message.name)", hint: "operators' commands need an operator's certificate")
        }
    }
}

extension CoordinatorService {
    func beat(_ site: SiteID, _ heartbeat: Heartbeat, _ presence: SitePresence) -> Timestamp {
        let time = now()
        presence.beat(heartbeat, at: time)
        return time
    }
}
