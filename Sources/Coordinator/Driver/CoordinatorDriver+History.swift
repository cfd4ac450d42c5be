import Federation
import Ledger
import Wire

/// What stands in the way of decisions: entries that the ledger lacks, and a clock that cannot be right.
extension CoordinatorDriver {
    /// The ledger is older than what a site has seen. From here on nothing is decided, also after a restart.
    mutating func noteMissing(_ head: SignedTreeHead, seenBy site: SiteID) {
        var recovery = recovery ?? LedgerRecovery(head)
        recovery.note(head)
        if self.recovery?.newest != recovery.newest { turn.prompt.append(.noteMissing(recovery.newest)) }
        self.recovery = recovery
        mustResume = true
        note(.historyMissing(head, seenBy: site, entries: ledger.count))
        turn.announces = true
    }

    /// Takes in what a site shows; says whether the ledger holds it, or does now.
    mutating func take(_ receipt: Receipt, from site: SiteID, _ request: RequestID) {
        guard !ledger.holds(receipt), let before = recovery?.shownEntries else {
            return reply(request, .receiptSeen(isHeld: ledger.holds(receipt)))
        }
        do { try recovery!.note(receipt, ledger: ledger) } catch {
            return reply(
                request,
                .refused(Refusal(.invalid, "the receipt of entry \(receipt.index) is not of this ledger: \(error)"))
            )
        }
        // A site shows the same receipts each time it connects.
        if recovery!.shownEntries > before { note(.lostEntryShown(receipt.index, by: site)) }
        shown[request] = receipt
        if let lost = recovery!.restorable(ledger) {
            turn.restoration = Restoration(entries: lost, request: request)
        } else {
            answerShown(request)
        }
    }

    mutating func answerShown(_ request: RequestID) {
        guard let receipt = shown.removeValue(forKey: request) else { return }
        reply(request, .receiptSeen(isHeld: ledger.holds(receipt)))
    }

    /// What the receipts prove was put back.
    mutating func restored(_ restoration: Restoration) {
        note(.entriesRestored(restoration.entries.count, entries: ledger.count))
        answerShown(restoration.request)
        if let recovery, recovery.isComplete(ledger) { historyIsWhole() }
    }

    mutating func historyIsWhole() {
        recovery = nil
        mustResume = true
        turn.prompt.append(.noteMissing(nil))
        note(.historyIsWhole(entries: ledger.count))
    }

    /// An operator's word that what is missing is lost: an entry that every site and every audit shows.
    mutating func declareLoss(
        _ reason: String,
        by operatorName: String,
        _ missing: (head: SignedTreeHead, kept: UInt64)?,
        at now: Timestamp
    ) throws -> UInt64 {
        guard let recovery else {
            // The same declaration again, after a lost answer.
            if let last = machine.state.losses.last, last.declaration.reason == reason,
                last.declaration.declaredBy == operatorName
            {
                return last.index
            }
            throw Refusal(
                .conflict,
                "no site has shown entries that this ledger lacks",
                hint: "a loss is declared when a site that has seen more connects"
            )
        }
        guard let missing, missing.head == recovery.newest, !turn.declaresLoss else {
            throw Refusal(.unavailable, "a site has just shown more of what is missing", hint: "declare the loss again")
        }
        if let unreadable { throw unreadable }
        let loss = LossDeclaration(
            lostTreeHead: missing.head.note,
            keptEntries: missing.kept,
            reason: reason,
            declaredBy: operatorName
        )
        // It explains what is older than it, and a clock may have been ahead.
        let earliest = missing.head.head.time.map { $0.adding(milliseconds: 1) }
        let index = machine.state.entryCount
        try request(at: now, despiteObstacle: true) { machine throws(LedgerViolation) in
            try machine.declare(loss, at: max(now, earliest ?? now))
        }
        turn.declaresLoss = true
        report(.lossDeclared(loss, lost: missing.head.head.size))
        return index
    }

    /// What an operator decides would take the places of entries that the receipts of the sites could put back.
    func requireHeard() throws {
        guard let hearing else { return }
        throw Refusal(
            .unavailable,
            "the coordinator has just started, and hears its sites before it decides anything",
            hint:
                """
                ask again in a while: it decides when all sites of the campaign are connected, after 30 s with its \
                quorum, at the latest at \(hearing.end.text)
                """
        )
    }

    /// What keeps the coordinator from deciding anything; `nil`: nothing.
    package func obstacle(at now: Timestamp, isClockCorrection: Bool = false) -> Refusal? {
        if let unreadable { return unreadable }
        if let recovery {
            return Refusal(
                .unavailable,
                "the coordinator's ledger holds \(ledger.count) entries, and a site has seen "
                    + "\(recovery.newest.head.size): an older backup was restored; "
                    + "receipts have shown \(recovery.shownEntries) of those that are missing",
                hint:
                    """
                    it goes on when the receipts of connecting sites fill the gap, or when an operator declares the \
                    loss: kumiai coordinator declare-loss
                    """
            )
        }
        let lead = machine.state.time.milliseconds(since: now)
        guard lead > CoordinatorLimits.clockLeadMilliseconds, !isClockCorrection else { return nil }
        return Refusal(
            .unavailable,
            "the ledger's newest entry is \(lead / 1000) s ahead of the coordinator's clock",
            hint:
                """
                set the coordinator's clock; or, if it was wrong when that entry was written: kumiai coordinator \
                correct-clock
                """
        )
    }

    /// What is wrong with the coordinator's decisions, for its status.
    package func troubles(at now: Timestamp) -> (decisions: [String], hearing: String?) {
        var found: [String] = []
        if let obstacle = obstacle(at: now) { found.append("\(obstacle.message); \(obstacle.hint)") }
        if let trouble { found.append(trouble) }
        let waiting = hearing.map {
            """
            the coordinator has just started: it decides nothing before all sites of the campaign are connected, or \
            after 30 s as many as its quorum, or until \($0.end.text)
            """
        }
        return (found, waiting)
    }
}
