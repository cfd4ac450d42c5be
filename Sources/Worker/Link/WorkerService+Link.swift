import Federation
import Identity
import Ledger
import Transport
import Wire

/// The control connection: made, kept and made again.
extension WorkerService {
    /// Heartbeats that may go without an answer before the link counts as dead.
    private static let unansweredHeartbeats = 6

    func connect(afterMilliseconds milliseconds: Int) async {
        guard (try? await pause(for: .milliseconds(milliseconds))) != nil else { return }
        do {
            try await dialer.withConnection(.control, software: BlobTransfer.software, treeHead: memory.treeHead) { connection in
                let link = try await self.checked(connection)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await link.conversation.run { await self.hear($0) } }
                    group.addTask {
                        try await self.settleHistory(link)
                        try await self.keepAlive(link)
                    }
                    // Whichever ends first ends the connection.
                    defer { group.cancelAll() }
                    try await group.next()
                }
            }
            note("the coordinator closed the connection", hint: "")
        } catch is CancellationError where isStopping {
            return
        } catch {
            note(describe(error), hint: (error as? Refusal)?.hint ?? (error as? WorkerError)?.hint ?? clockHint(error))
        }
        (link, heldBack) = (nil, nil)
        handle(.disconnected)
    }

    private func note(_ reason: String, hint: String) {
        trouble = SiteTrouble("not connected", detail: hint.isEmpty ? reason : "\(reason); \(hint)")
        logger.warning("not connected", metadata: ["reason": "\(reason)", "hint": "\(hint)"])
    }

    /// The connection of a coordinator whose certificate vouches for its ledger's key, which is the one that this site knows.
    private func checked(_ connection: ClientConnection) throws -> WorkerLink {
        guard let welcome = connection.welcome, let certificate = connection.certificate else {
            throw TransportError(.unexpected, "the coordinator did not welcome this site")
        }
        guard try certificate.vouches(for: welcome.logKey, signature: welcome.logKeySignature) else {
            throw WorkerError("the coordinator's certificate does not vouch for its ledger's key")
        }
        try memory.pin(welcome.logKey)
        return WorkerLink(conversation: Conversation(connection), connection: connection, welcome: welcome)
    }

    /// Nothing is sent to a coordinator whose ledger is not the one that this site has seen.
    private func settleHistory(_ link: WorkerLink) async throws {
        switch try memory.judge(link.welcome) {
        case .extends: break
        case .isBehind(let seen, let theirs):
            for (_, receipt) in memory.receipts(from: UInt64(theirs)) { _ = try await link.conversation.ask(.presentReceipt(receipt)) }
            await leave(link, "the ledger lacks entries that this site has seen")
            throw WorkerError(
                "the coordinator's ledger of \(theirs) entries is not the one of \(seen) entries that this site has seen: it was restored from a backup, or rewritten",
                hint: "nothing is sent; keep \(configuration.dataDirectory)/receipts and ask the consortium")
        case .lossDeclared(let loss) where loss.isAccepted:
            for (name, receipt) in memory.receipts() {
                if case .receiptSeen(isHeld: false) = try await link.conversation.ask(.presentReceipt(receipt)) { try memory.setAside(name) }
            }
            try memory.goOn(after: link.welcome)
            logger.warning("going on after a declared loss", metadata: ["reason": "\(loss.declaration.reason)", "by": "\(loss.declaration.declaredBy)"])
        case .lossDeclared(let loss):
            try memory.note(loss)
            await leave(link, "the declared loss waits until this site's engineer accepts it")
            throw WorkerError(
                "\(loss.declaration.declaredBy) declares that of an earlier ledger at most the first \(loss.declaration.keptEntries) entries were kept, and the others lost: \(loss.declaration.reason)",
                hint: "nothing is sent until this site accepts it, once: kumiai worker accept-loss")
        }
        opened(link)
    }

    /// Tells the operator why this site does not stay; in words of our own, as all that leaves the site.
    private func leave(_ link: WorkerLink, _ reason: String) async {
        try? await link.connection.send(.goodbye(reason: reason), id: 0)
        stopTransfer()
    }

    private func opened(_ link: WorkerLink) {
        self.link = link
        (heardAt, trouble) = (clock(), nil)
        compareClocks(link.welcome.time)
        logger.info("connected", metadata: ["consortium": "\(link.welcome.consortium)", "version": "\(link.welcome.version)"])
        handle(.connected)
        // What came before the ledger was checked.
        if let assignment = heldBack {
            heldBack = nil
            follow(assignment, link)
        }
    }

    private func follow(_ assignment: Assignment, _ link: WorkerLink) {
        let admitted = memory.admitted(assignment, site: identity.site, logKey: link.logKey)
        if admitted != assignment, case .rest(let reason) = admitted {
            logger.error("an assignment is not followed", metadata: ["reason": "\(reason)", "hint": "ask the consortium's operator and auditors"])
            handle(.assigned(admitted))
            trouble = SiteTrouble("an assignment is not followed", detail: reason)
            return
        }
        handle(.assigned(admitted))
    }

    private func hear(_ message: ServerMessage) {
        heardAt = clock()
        switch message {
        case .assignment(let assignment):
            if let link { follow(assignment, link) } else { heldBack = assignment }
        case .refusal(let refusal): logger.warning("the coordinator refused", metadata: ["reason": "\(refusal.message)", "hint": "\(refusal.hint)"])
        default: break
        }
    }

    /// A link can be dead without knowing it: a heartbeat that is never answered says so.
    private func keepAlive(_ link: WorkerLink) async throws {
        while true {
            let beat = heartbeat
            let asked = ContinuousClock.now
            let answer = try await withTimeout(.seconds(link.heartbeatSeconds * Self.unansweredHeartbeats), "the answer to a heartbeat") {
                try await link.conversation.ask(.heartbeat(beat))
            }
            heardAt = clock()
            // An answer that took its time says nothing about the clock.
            if case .heartbeatSeen(let time) = answer, ContinuousClock.now - asked < .seconds(5) { compareClocks(time) }
            // Faster than asked for while there is something to see.
            let isBusy = machine.taskKey != nil
            try await pause(for: .seconds(isBusy ? min(1, link.heartbeatSeconds) : link.heartbeatSeconds))
        }
    }
}
