import Federation
import Identity
import Transport
import Wire

/// The control connection: made, kept and made again.
extension WorkerService {
    /// Heartbeats that may go without an answer before the link counts as dead.
    private static let unansweredHeartbeats = 6

    func connect(afterMilliseconds milliseconds: Int) async {
        guard (try? await pause(for: .milliseconds(milliseconds))) != nil else { return }
        do {
            try await dialer.withConnection(.control, software: BlobTransfer.software) { connection in
                let link = try await self.opened(connection)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await link.conversation.run { await self.hear($0) } }
                    group.addTask { try await self.keepAlive(link) }
                    // Whichever ends first ends the connection.
                    defer { group.cancelAll() }
                    try await group.next()
                }
            }
            note("the coordinator closed the connection", hint: "")
        } catch is CancellationError where isStopping {
            return
        } catch {
            note(describe(error), hint: (error as? Refusal)?.hint ?? (error as? WorkerError)?.hint ?? "")
        }
        link = nil
        handle(.disconnected)
    }

    private func note(_ reason: String, hint: String) {
        trouble = reason
        logger.warning("not connected", metadata: ["reason": "\(reason)", "hint": "\(hint)"])
    }

    private func opened(_ connection: ClientConnection) throws -> WorkerLink {
        guard let welcome = connection.welcome, let certificate = connection.certificate else {
            throw TransportError(.unexpected, "the coordinator did not welcome this site")
        }
        guard try certificate.publicKey.isValid(welcome.logKeySignature, for: Founding.logKeyStatement(welcome.logKey)) else {
            throw WorkerError("the coordinator's certificate does not vouch for its ledger's key")
        }
        try outbox.pin(welcome.logKey)
        let link = WorkerLink(
            conversation: Conversation(connection), connection: connection, logKey: welcome.logKey, heartbeatSeconds: max(1, welcome.heartbeatSeconds))
        self.link = link
        (heardAt, trouble) = (clock(), nil)
        logger.info("connected", metadata: ["consortium": "\(welcome.consortium)", "version": "\(welcome.version)"])
        handle(.connected)
        return link
    }

    private func hear(_ message: ServerMessage) {
        heardAt = clock()
        switch message {
        case .assignment(let assignment): handle(.assigned(assignment))
        case .refusal(let refusal): logger.warning("the coordinator refused", metadata: ["reason": "\(refusal.message)", "hint": "\(refusal.hint)"])
        default: break
        }
    }

    /// A link can be dead without knowing it: a heartbeat that is never answered says so.
    private func keepAlive(_ link: WorkerLink) async throws {
        while true {
            let beat = heartbeat
            _ = try await withTimeout(.seconds(link.heartbeatSeconds * Self.unansweredHeartbeats), "the answer to a heartbeat") {
                try await link.conversation.ask(.heartbeat(beat))
            }
            heardAt = clock()
            // Faster than asked for while there is something to see.
            let isBusy = machine.taskKey != nil
            try await pause(for: .seconds(isBusy ? min(1, link.heartbeatSeconds) : link.heartbeatSeconds))
        }
    }
}
