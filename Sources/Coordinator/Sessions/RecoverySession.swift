import Federation
import Logging
import Transport
import Wire

/// The connection of a site that has seen entries which this ledger lacks: only its receipts are accepted.
struct RecoverySession: ConnectionSession {
    let service: CoordinatorService
    let connection: ServerConnection
    let site: SiteID
    let logger: Logger

    func run() async throws {
        let connection = connection
        while let frame = try await connection.next(
            within: .seconds(TransportLimits.helloSeconds),
            "the next receipt"
        ) {
            do {
                switch frame.message {
                case .presentReceipt(let receipt):
                    try await connection.send(
                        .receiptSeen(isHeld: await service.take(receipt, from: site)),
                        inReplyTo: frame.id
                    )
                case .goodbye: return
                default:
                    throw Refusal(
                        .unavailable,
                        "the coordinator's ledger lacks entries that \(site) has seen; only receipts are accepted now"
                    )
                }
            } catch let refusal as Refusal {
                logger.warning(
                    "refused a message",
                    metadata: ["message": "\(frame.message.name)", "reason": "\(refusal.message)"]
                )
                try await connection.send(.refusal(refusal), inReplyTo: frame.id)
            }
        }
    }
}
