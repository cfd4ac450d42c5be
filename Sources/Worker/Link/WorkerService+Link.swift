import Federation
import Identity
import Ledger
import Protocol
import Transport
import Wire

/// The control connection: made and kept alive; what is said over it is the driver's.
extension WorkerService {
    /// Heartbeats that may go without an answer before the link counts as dead.
    private static let unansweredHeartbeats = 6

    func connect() async {
        let failure: WorkerFailure
        do {
            let treeHead = try await keeper.run { [memory] in memory.treeHead }
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

    /// The connection of a coordinator whose certificate vouches for its ledger's key.
    private func checked(_ connection: ClientConnection) throws -> WorkerLink {
        guard let welcome = connection.welcome, let certificate = connection.certificate else {
            throw TransportError(.unexpected, "the coordinator did not welcome this site")
        }
        guard try certificate.vouches(for: welcome.logKey, signature: welcome.logKeySignature) else {
            throw WorkerError("the coordinator's certificate does not vouch for its ledger's key")
        }
        return WorkerLink(LinkID(nextNumber()), connection, welcome)
    }

    private nonisolated func serve(_ link: WorkerLink) async throws {
        await begin(link)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while let frame = try await link.connection.inbox.next() { await self.hear(frame, on: link) }
            }
            group.addTask {
                for await frame in link.outgoing { try await link.connection.send(frame.message, id: frame.id) }
            }
            group.addTask { try await self.keepAlive(link) }
            // Whichever ends first ends the connection.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func begin(_ link: WorkerLink) {
        self.link = link
        answeredAt = .now
        handle(.connected(link.id, link.welcome))
    }

    private func hear(_ frame: ServerFrame, on link: WorkerLink) {
        heardAt = clock()
        answeredAt = .now
        // An answer that took its time says nothing about the clock.
        if case .heartbeatSeen(let time) = frame.message, ContinuousClock.now - askedAt < .seconds(5) {
            compareClocks(time)
        }
        handle(.heard(link.id, frame))
    }

    /// A link can be dead without knowing it: a heartbeat that is never answered says so.
    private func keepAlive(_ link: WorkerLink) async throws {
        var number: UInt64 = 0
        while true {
            let silence = link.heartbeatSeconds * Self.unansweredHeartbeats
            guard ContinuousClock.now - answeredAt < .seconds(silence) else {
                throw TransportError(.timeout, "the answer to a heartbeat took longer than \(silence) s")
            }
            // Nothing is said of the work to a coordinator whose ledger is not checked yet.
            if driver.isOpen(link.id) {
                number += 1
                askedAt = .now
                // No question of the driver has such a number.
                link.send(.heartbeat(heartbeat), id: 1 << 63 | number)
            }
            // Faster than asked for while there is something to see.
            let isBusy = driver.machine.taskKey != nil
            try await pause(
                for: .seconds(isBusy || number == 0 ? min(1, link.heartbeatSeconds) : link.heartbeatSeconds)
            )
        }
    }
}
