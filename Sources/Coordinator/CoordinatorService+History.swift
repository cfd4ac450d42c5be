import Blobs
import Federation
import Foundation
import Ledger
import Logging
import Transport
import Wire

/// Whether the coordinator's ledger is the one that its sites have seen, and what is done where it is not.
extension CoordinatorService {
    /// What a site's hello is answered with.
    struct Greeting: Sendable {
        let welcome: Welcome
        /// The site has seen entries that are missing here: it may show them, and nothing else.
        let isRecovery: Bool
    }

    func greet(_ hello: Hello, version: UInt32, site: SiteID) throws -> Greeting {
        try requireLedger()
        switch ledger.standing(of: hello.treeHead, losses: machine.state.losses) {
        case .extends(let proof): return Greeting(welcome: welcome(version, proof: proof), isRecovery: false)
        case .lossDeclared(let loss): return Greeting(welcome: welcome(version, loss: loss), isRecovery: false)
        case .isBehind(let head):
            try noteMissing(head, seenBy: site)
            turnedAway(site, "it has seen \(head.head.size) entries of the ledger, which holds \(ledger.count)")
            return Greeting(welcome: welcome(version), isRecovery: true)
        case .isForeign(let reason):
            turnedAway(site, "it has seen a tree head that this ledger's key did not sign")
            throw Refusal(
                .conflict, "\(site) has seen a tree head that this ledger's key did not sign: \(reason)",
                hint: "is this the right coordinator? compare the log keys with the consortium's auditors")
        }
    }

    /// The ledger is older than what a site has seen. From here on nothing is decided, also after a restart.
    private func noteMissing(_ head: SignedTreeHead, seenBy site: SiteID) throws {
        var recovery = recovery ?? LedgerRecovery(head)
        recovery.note(head)
        if self.recovery?.newest != recovery.newest { try SystemDisk().store(Array(recovery.newest.note.utf8), at: files.missingHistory) }
        self.recovery = recovery
        logger.critical(
            "this ledger lacks entries that a site has seen: nothing is decided",
            metadata: [
                "site": "\(site)", "seen": "\(head.head.size)", "entries": "\(ledger.count)",
                "hint": "was an older backup restored? receipts of connecting sites are taken in; kumiai coordinator status says how far that is",
            ])
        presence.keys.forEach(assign)
    }

    /// A head that was noted before a restart, if the ledger still does not extend it.
    static func missingHistory(_ files: CoordinatorFiles, _ ledger: Ledger) throws -> LedgerRecovery? {
        guard let bytes = try SystemDisk().contents(of: files.missingHistory) else { return nil }
        // The note goes when the loss is declared: an earlier declaration says nothing about it.
        switch ledger.standing(of: String(decoding: bytes, as: UTF8.self), losses: []) {
        case .isBehind(let head): return LedgerRecovery(head)
        case .isForeign(let reason):
            throw CoordinatorError("\(files.missingHistory) cannot be read: \(reason)", hint: "it says what this ledger lacks; restore it")
        case .extends, .lossDeclared: return nil
        }
    }

    /// Takes in what a site shows; says whether the ledger holds it, or does now.
    func take(_ receipt: Receipt, from site: SiteID) throws -> Bool {
        if holds(receipt) { return true }
        guard let before = recovery?.shownEntries else { return false }
        do { try recovery!.note(receipt, ledger: ledger) } catch {
            throw Refusal(.invalid, "the receipt of entry \(receipt.index) is not of this ledger: \(error)")
        }
        // A site shows the same receipts each time it connects.
        if recovery!.shownEntries > before { logger.notice("a lost entry was shown", metadata: ["site": "\(site)", "entry": "\(receipt.index)"]) }
        try restore()
        return holds(receipt)
    }

    private func holds(_ receipt: Receipt) -> Bool {
        guard let index = Int(exactly: receipt.index), index < ledger.count else { return false }
        return (try? ledger.entry(at: index).wireBytes) == receipt.entry
    }

    /// Puts back what the receipts prove, and goes on where nothing is missing any more.
    private func restore() throws {
        guard let recovery, let lost = recovery.restorable(ledger) else { return }
        try core.restore(lost)
        logger.notice("entries were restored from receipts", metadata: ["restored": "\(lost.count)", "entries": "\(ledger.count)"])
        guard recovery.isComplete(ledger) else { return }
        historyIsWhole()
    }

    private func historyIsWhole() {
        recovery = nil
        SystemDisk().remove(files.missingHistory)
        logger.notice("the ledger is whole again", metadata: ["entries": "\(ledger.count)"])
        resume()
        presence.keys.forEach(assign)
    }

    /// An operator's word that what is missing is lost: an entry that every site and every audit shows.
    func declareLoss(reason: String, by operatorName: String) throws -> ServerMessage {
        guard let recovery else {
            // The same declaration again, after a lost answer.
            if let last = machine.state.losses.last, last.declaration.reason == reason, last.declaration.declaredBy == operatorName {
                return .recorded(index: last.index)
            }
            throw Refusal(.conflict, "no site has shown entries that this ledger lacks", hint: "a loss is declared when a site that has seen more connects")
        }
        let loss = LossDeclaration(
            lostTreeHead: recovery.newest.note, keptEntries: UInt64(try recovery.keptEntries(ledger)), reason: reason, declaredBy: operatorName)
        self.recovery = nil
        do {
            // It explains what is older than it, and a clock may have been ahead.
            let earliest = recovery.newest.head.time.map { $0.adding(milliseconds: 1) }
            try decideOrThrow { core, now in try core.decide { try $0.declare(loss, at: max(now, earliest ?? now)) } }
        } catch {
            self.recovery = recovery
            throw error
        }
        let index = UInt64(ledger.count - 1)
        logger.critical("a loss was declared", metadata: ["by": "\(operatorName)", "reason": "\(reason)", "lost": "\(recovery.newest.head.size)"])
        historyIsWhole()
        return .recorded(index: index)
    }

    /// An operator's word that the clock had been ahead.
    func correctClock(reason: String, by operatorName: String) throws -> ServerMessage {
        let correction = ClockCorrection(reason: reason, correctedBy: operatorName)
        do {
            try decideOrThrow(isClockCorrection: true) { core, now in try core.decide { try $0.correctClock(correction, at: now) } }
        } catch let error as LedgerViolation {
            throw Refusal(
                .conflict, "the clock cannot be corrected: the request \(error.message)", hint: "the ledger's newest entry is not ahead of this machine's clock"
            )
        }
        logger.warning("the clock was corrected", metadata: ["by": "\(operatorName)", "reason": "\(reason)"])
        return .recorded(index: machine.state.entryCount - 1)
    }

    // MARK: Hearing the sites after a start

    func hearSites() {
        hearing = SiteHearing(machine.state.campaign, at: now())
        guard let hearing else { return }
        logger.info(
            "sites are heard before anything is decided",
            metadata: [
                "until": "\(hearing.end.text)", "hint": "it ends earlier when all sites are connected, or after 30 s those of the quorum",
            ])
        Task {
            try? await pause(for: .milliseconds(CoordinatorLimits.patientMilliseconds))
            self.hearing?.losePatience()
            endHearingIfOver()
            try? await pause(for: .milliseconds(CoordinatorLimits.hearingMilliseconds - CoordinatorLimits.patientMilliseconds))
            endHearing()
        }
    }

    /// What an operator decides would take the places of entries that the receipts of the sites could put back.
    func requireHeard() throws {
        guard let hearing else { return }
        throw Refusal(
            .unavailable, "the coordinator has just started, and hears its sites before it decides anything",
            hint:
                "ask again in a while: it decides when all sites of the campaign are connected, after 30 s with its quorum, at the latest at \(hearing.end.text)"
        )
    }

    /// Goes on where all is heard that was waited for.
    func endHearingIfOver() {
        if let hearing, hearing.isOver(machine.state.campaign) { endHearing() }
    }

    private func endHearing() {
        guard hearing != nil, !isStopping else { return }
        hearing = nil
        resume()
    }

    // MARK: What stands in the way of decisions

    /// What keeps the coordinator from deciding anything; `nil`: nothing.
    func obstacle(at now: Timestamp, isClockCorrection: Bool = false) -> Refusal? {
        if let recovery {
            return Refusal(
                .unavailable,
                "the coordinator's ledger holds \(ledger.count) entries, and a site has seen \(recovery.newest.head.size): an older backup was restored; "
                    + "receipts have shown \(recovery.shownEntries) of those that are missing",
                hint: "it goes on when the receipts of connecting sites fill the gap, or when an operator declares the loss: kumiai coordinator declare-loss")
        }
        let lead = machine.state.time.milliseconds(since: now)
        guard lead > CoordinatorLimits.clockLeadMilliseconds, !isClockCorrection else { return nil }
        return Refusal(
            .unavailable, "the ledger's newest entry is \(lead / 1000) s ahead of the coordinator's clock",
            hint: "set the coordinator's clock; or, if it was wrong when that entry was written: kumiai coordinator correct-clock")
    }

    /// What is wrong with the coordinator, for its status.
    var troubles: [String] {
        var found: [String] = []
        do { try ledger.requireWhole() } catch { found.append("nothing is decided, and nothing is answered from the ledger: \(error)") }
        if let obstacle = obstacle(at: now()) { found.append("\(obstacle.message); \(obstacle.hint)") }
        if let ledgerTrouble { found.append(ledgerTrouble) }
        if isDiskFull { found.append("the disk is full: sites cannot upload; make room in \(files.directory)") }
        found += certificateNotices.compactMap { $0.text(at: now()) }
        if let hearing {
            found.append(
                "the coordinator has just started: it decides nothing before all sites of the campaign are connected, or after 30 s as many as its quorum, or until \(hearing.end.text)"
            )
        }
        if let step = clockStep {
            found.append("the system's clock has stepped by \(step / 1000) s and is not followed; if it is right now, start the coordinator again")
        }
        return found
    }
}
