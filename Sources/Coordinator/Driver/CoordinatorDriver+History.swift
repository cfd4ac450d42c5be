import Federation
import Ledger
import Wire

/// What prevents decisions: entries that the ledger lacks, and a clock that cannot be right.
extension CoordinatorDriver {
    /// Records that the ledger is older than what a site has seen. From here on nothing is decided, even after a
    /// restart.
    mutating func recordMissing(_ head: SignedTreeHead, seenBy site: SiteID) {
        var recovery = recovery ?? LedgerRecovery(head)
        recovery.add(head)
        if self.recovery?.newest != recovery.newest { turn.prompt.append(.storeMissingHistory(recovery.newest)) }
        self.recovery = recovery
        mustResume = true
        observeNow(.historyMissing(head, seenBy: site, entries: ledger.count))
        turn.announces = true
    }

    /// Processes a receipt that a site shows, and replies whether the ledger now holds its entry.
    mutating func take(_ receipt: Receipt, from site: SiteID, _ request: RequestID) {
        guard !ledger.holds(receipt), let before = recovery?.shownEntries else {
            return reply(request, .receiptSeen(isHeld: ledger.holds(receipt)))
        }
        do { try recovery!.add(receipt, ledger: ledger) } catch {
            return reply(
                request,
                .refused(Refusal(.invalid, "the receipt of entry \(receipt.index) is not from this ledger: \(error)"))
            )
        }
        // A site shows the same receipts each time it connects, so report only new ones.
        if recovery!.shownEntries > before { observeNow(.lostEntryShown(receipt.index, by: site)) }
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

    /// The entries that the receipts prove have been put back.
    mutating func restored(_ restoration: Restoration) {
        observeNow(.entriesRestored(restoration.entries.count, entries: ledger.count))
        answerShown(restoration.request)
        if let recovery, recovery.isComplete(ledger) { historyIsWhole() }
    }

    mutating func historyIsWhole() {
        recovery = nil
        mustResume = true
        turn.prompt.append(.storeMissingHistory(nil))
        observeNow(.historyIsWhole(entries: ledger.count))
    }

    /// Records an operator's declaration that the missing entries are lost, as an entry that every site and every audit
    /// shows.
    mutating func declareLoss(
        _ reason: String,
        by operatorName: String,
        _ missing: (head: SignedTreeHead, kept: UInt64)?,
        at now: Timestamp
    ) throws -> UInt64 {
        guard let recovery else {
            // The same declaration was repeated after its answer was lost.
            if let last = machine.state.losses.last, last.declaration.reason == reason,
                last.declaration.declaredBy == operatorName
            {
                return last.index
            }
            throw Refusal(
                .conflict,
                "no site has shown entries that this ledger lacks",
                hint: "a loss can be declared after a site that has seen more has connected"
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
        // The declaration must be newer than what it explains, even if the clock was ahead then.
        let earliest = missing.head.head.time.map { $0.adding(milliseconds: 1) }
        let index = machine.state.entryCount
        try request(at: now, despiteObstacle: true) { machine throws(LedgerViolation) in
            try machine.declare(loss, at: max(now, earliest ?? now))
        }
        turn.declaresLoss = true
        observeWhenDurable(.lossDeclared(loss, lost: missing.head.head.size))
        return index
    }

    /// Throws while the coordinator waits for its sites: an operator's decision now would occupy the index of an entry
    /// that the sites' receipts could restore.
    func requireStartupWaitOver() throws {
        guard let startupWait else { return }
        throw Refusal(
            .unavailable,
            "the coordinator has just started and decides nothing until its sites have reported what they have seen",
            hint:
                """
                try again later: it decides when all sites of the campaign are connected, after 30 s with its \
                quorum, at the latest at \(startupWait.end.text)
                """
        )
    }

    /// Returns what prevents the coordinator from deciding; `nil` if nothing does.
    package func obstacle(at now: Timestamp, isClockCorrection: Bool = false) -> Refusal? {
        if let unreadable { return unreadable }
        if let recovery {
            return Refusal(
                .unavailable,
                "the coordinator's ledger holds \(ledger.count) entries, but a site has seen "
                    + "\(recovery.newest.head.size): an older backup was restored; "
                    + "receipts have shown \(recovery.shownEntries) of the missing entries",
                hint:
                    """
                    this ends when the receipts of connecting sites fill the gap, or when an operator declares the \
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

    /// The problems with the coordinator's decisions, as its status reports them.
    package func problems(at now: Timestamp) -> (decisions: [String], startupWait: String?) {
        var found: [String] = []
        if let obstacle = obstacle(at: now) { found.append("\(obstacle.message); \(obstacle.hint)") }
        if let ledgerFailure { found.append(ledgerFailure) }
        let waiting = startupWait.map {
            """
            the coordinator has just started: it decides nothing before all sites of the campaign are connected, or \
            after 30 s as many as its quorum, or until \($0.end.text)
            """
        }
        return (found, waiting)
    }
}
