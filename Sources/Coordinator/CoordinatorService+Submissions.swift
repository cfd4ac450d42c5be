import Federation
import Identity
import Ledger
import Protocol
import Wire

/// Submissions and receipts from sites, and the answers to them.
extension CoordinatorService {
    nonisolated func submit(_ update: SignedUpdate, from site: SiteID, certificate: Certificate, seenEntries: UInt64)
        async throws -> ServerMessage
    {
        guard case .submission(let answer) = try await ask(.submit(update, from: site), certificate: certificate) else {
            throw postponement("the coordinator has not answered yet")
        }
        switch answer {
        case .accepted(let index): return try await accepted(index, seenEntries)
        case .refused(let refusal): return .updateRefused(refusal)
        case .postponed(let reason): throw postponement(reason)
        }
    }

    /// Processes a receipt that a site shows.
    ///
    /// - Returns: Whether the ledger now holds the receipt's entry.
    nonisolated func take(_ receipt: Receipt, from site: SiteID) async throws -> Bool {
        guard case .receiptSeen(let isHeld) = try await ask(.show(receipt, by: site)) else { return false }
        return isHeld
    }

    /// Returns a receipt, and the proof that its tree head extends what the site has seen.
    private nonisolated func accepted(_ index: UInt64, _ seenEntries: UInt64) async throws -> ServerMessage {
        let snapshot = ledger.snapshot
        return .receipt(
            try await receipt(of: index, under: snapshot),
            consistencyProof: snapshot.consistencyProof(from: min(Int(clamping: seenEntries), snapshot.count))
        )
    }

    nonisolated func receipt(of index: UInt64, under snapshot: LedgerSnapshot? = nil) async throws -> Receipt {
        let (ledger, snapshot) = (ledger, snapshot ?? ledger.snapshot)
        do {
            return try await workers.runIfActive { try ledger.receipt(of: index, under: snapshot) }
        } catch let error as LedgerError {
            log.cannotRead(entry: index, error)
            throw postponement("the coordinator cannot read its ledger now")
        }
    }

    private nonisolated func postponement(_ reason: String) -> Refusal {
        Refusal(.unavailable, reason, hint: "the worker keeps the update and submits it again automatically")
    }

    /// A site that has already sent its update for the round is asked again only together with the entry that proves
    /// its loss.
    nonisolated func message(_ instruction: SiteLink.Instruction) async -> ServerMessage {
        guard let index = instruction.proof, case .train(let task) = instruction.assignment,
            let proof = try? await receipt(of: index)
        else {
            return .assignment(instruction.assignment)
        }
        return .assignment(.train(task.asking(because: proof)))
    }

    // MARK: Links

    // Not inlined: a session's task lives for months, and would keep room for copies of the driver's state all the time.
    @inline(never)
    func arrived(_ site: SiteID, certificate: ValidityPeriod?) -> SiteLink {
        let link = SiteLink(LinkID(nextNumber()))
        links[link.id] = link
        if isStopping { link.close() }
        handle(.arrived(site, link.id, certificate))
        return link
    }

    @inline(never)
    func left(_ site: SiteID, _ link: SiteLink) {
        links[link.id] = nil
        handle(.left(site, link.id))
    }

    @inline(never)
    func recordHeartbeat(_ site: SiteID, _ heartbeat: Heartbeat, _ link: SiteLink) -> Timestamp {
        let time = now()
        driver.recordHeartbeat(site, link.id, heartbeat, at: time)
        return time
    }
}
