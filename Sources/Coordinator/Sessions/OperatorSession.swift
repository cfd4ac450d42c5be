import Federation
import Logging
import Transport
import Wire

/// An operator's or an auditor's connection: questions, and an operator's requests.
struct OperatorSession: ConnectionSession {
    let service: CoordinatorService
    let connection: ServerConnection
    let logger: Logger

    func run() async throws {
        let connection = connection
        while let frame = try await connection.next(
            within: .seconds(CoordinatorLimits.stalledSeconds),
            "the next question"
        ) {
            do {
                guard let answer = try await answer(frame.message) else { return }
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

    private func answer(_ message: ClientMessage) async throws -> ServerMessage? {
        let peer = connection.peer
        if message.name != ClientMessage.getStatus.name { try await service.requireLedger() }
        switch message {
        case .getStatus: return .status(await service.status())
        case .goodbye: return nil
        case .pruneUpdates(let dryRun) where peer.isOperator:
            return try await service.prune(by: peer.path, dryRun: dryRun)
        case .checkPlan(let plan, let abandonsRelease) where peer.isOperator:
            return try await service.check(plan, abandonsRelease: abandonsRelease)
        case .openCampaign(let plan, let abandonsRelease) where peer.isOperator:
            return try await service.open(plan, by: peer.path, abandonsRelease: abandonsRelease)
        case .changeCampaign(let change) where peer.isOperator:
            // The requester's name is taken from the certificate, not from the message.
            let change = CampaignChange(
                campaign: change.campaign,
                action: change.action,
                reason: change.reason,
                changedBy: peer.path
            )
            return .recorded(index: try await service.recorded(.change(change)))
        case .declareLoss(let reason) where peer.isOperator:
            return .recorded(index: try await service.declareLoss(reason: reason, by: peer.path))
        case .correctClock(let reason) where peer.isOperator:
            return .recorded(index: try await service.recorded(.correctClock(reason: reason, by: peer.path)))
        case .cutRelease(let name, let round, let rank) where peer.isOperator:
            do {
                return try await service.cut(name, round: round, adapterRank: rank, by: peer.path)
            } catch let refusal as Refusal {
                throw refusal
            } catch {
                throw Refusal(
                    .unavailable,
                    "the release cannot be written: \(describe(error))",
                    hint: "fix the cause and cut the release again: nothing is lost"
                )
            }
        default:
            throw Refusal(
                .role,
                "\(peer.path) may not send \(message.name)",
                hint: "operators' commands need an operator's certificate"
            )
        }
    }
}
