import Federation
import Identity
import Ledger
import Protocol
import Transport
import Wire

/// Establishes the control connection and keeps it alive; the driver decides which messages are sent.
extension WorkerService {
    /// After this many heartbeat intervals without any message from the coordinator, the connection counts as dead.
    private static let unansweredHeartbeats = 6

    func connect() async {
        let failure: WorkerFailure
        do {
            let treeHead = try await storageQueue.run { [memory] in memory.treeHead }
            try await dialer.withConnection(.control, software: BlobTransfer.software, treeHead: treeHead) {
                connection in
                let link = try await self.checked(connection)
                try await self.serve(link)
            }
            failure = WorkerFailure("the coordinator closed the connection")
        } catch is CancellationError where isStopping {
            return
        } catch {
            let hint = (error as? Refusal)?.hint ?? (error as? WorkerError)?.hint ?? clockHint(error)
            failure = WorkerFailure(error, hint: hint)
        }
        link = nil
        handle(.disconnected(failure))
    }

    /// Checks that the coordinator's certificate has signed its ledger's key.
    private func checked(_ connection: ClientConnection) throws -> WorkerLink {
        guard let welcome = connection.welcome, let certificate = connection.certificate else {
            throw TransportError(.unexpected, "the coordinator did not welcome this site")
        }
        guard try certificate.vouches(for: welcome.logKey, signature: welcome.logKeySignature) else {
            throw WorkerError("the signature of the coordinator's certificate over its ledger's key is not valid")
        }
        return WorkerLink(LinkID(nextNumber()), connection, welcome)
    }

    private nonisolated func serve(_ link: WorkerLink) async throws {
        await begin(link)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while let frame = try await link.connection.inbox.next() { await self.handle(frame, on: link) }
            }
            group.addTask {
                for await frame in link.outgoing { try await link.connection.send(frame.message, id: frame.id) }
            }
            group.addTask { try await self.keepAlive(link) }
            // The first task that ends also ends the connection.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func begin(_ link: WorkerLink) {
        self.link = link
        answeredAt = .now
        handle(.connected(link.id, link.welcome))
    }

    private func handle(_ frame: ServerFrame, on link: WorkerLink) {
        heardAt = clock()
        answeredAt = .now
        // After a slow answer, the times cannot be compared.
        if case .heartbeatSeen(let time) = frame.message, ContinuousClock.now - askedAt < .seconds(5) {
            compareClocks(time)
        }
        handle(.received(link.id, frame))
    }

    /// Sends heartbeats, and throws if they are not answered, because a dead connection may cause no other error.
    private func keepAlive(_ link: WorkerLink) async throws {
        var number: UInt64 = 0
        while true {
            let silence = link.heartbeatSeconds * Self.unansweredHeartbeats
            guard ContinuousClock.now - answeredAt < .seconds(silence) else {
                throw TransportError(.timeout, "the answer to a heartbeat took longer than \(silence) s")
            }
            // Before the coordinator's ledger was checked, nothing about this site's work is sent.
            if driver.isOpen(link.id) {
                number += 1
                askedAt = .now
                // The driver's requests never have the highest bit set.
                link.send(.heartbeat(heartbeat), id: 1 << 63 | number)
            }
            // During work, more often than the coordinator asks for, so that the progress is visible.
            let isBusy = driver.machine.taskKey != nil
            try await pause(
                for: .seconds(isBusy || number == 0 ? min(1, link.heartbeatSeconds) : link.heartbeatSeconds)
            )
        }
    }
}
