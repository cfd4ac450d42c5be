import Blobs
import Federation
import Identity
import Ledger
import Logging
import Wire

/// What sites submit: looked at, decided and answered.
extension CoordinatorService {
    func submit(_ update: SignedUpdate, from site: SiteID, certificate: Certificate, seenEntries: UInt64) async throws -> ServerMessage {
        let manifest = update.manifest
        // The ledger may lack the last decision: nothing is answered from it.
        guard !core.isAheadOfLedger else { throw postponement("the coordinator cannot read its ledger now") }
        guard hearing == nil else { throw postponement("the coordinator has just started, and hears its sites before it decides") }
        let inspection: Inspection
        switch machine.preliminaryAnswer(to: manifest, from: site, at: now()) {
        case .accepted(let index): return try accepted(index, seenEntries)
        case .postponed(let reason): throw postponement(reason)
        case .refused(let refusal): inspection = .unsound(refusal)
        case nil:
            if let plan = machine.state.campaign?.plan {
                // With nothing between it and the decision: a sweep must not take what is about to be needed.
                inspection = incoming.accept(manifest, try await inspect(update, plan, certificate))
            } else {
                inspection = .unavailable("no campaign is open")
            }
        }
        let submission = Submission(sender: site, update: update, inspection: inspection)
        let answers = try decideOrThrow { try $0.handle(.submitted(submission), at: $1) }
        if case .accepted = answers[site] { incoming.remove(manifest.update, of: site) }
        return try message(answers[site], to: update, from: site, seenEntries)
    }

    private func inspect(_ update: SignedUpdate, _ plan: Plan, _ certificate: Certificate) async throws -> Inspection {
        let now = now()
        // A CA that was replaced, and whose time is over, vouches for no update any more.
        let ended = machine.state.endedAuthorities(at: now)
        let (incoming, blobs, roots, site) = (incoming, blobs, identity.roots.without(ended), update.manifest.site)
        do {
            return try await workers.runIfActive {
                try UpdateInspection(blobs: blobs, uploads: incoming.store(of: site), plan: plan, roots: roots)
                    .inspect(update, certificate: certificate, at: now)
            }
        } catch let error as BlobError {
            return .unavailable("the coordinator cannot look at what the site has sent: \(error)")
        }
    }

    private func message(_ answer: SubmissionAnswer?, to update: SignedUpdate, from site: SiteID, _ seenEntries: UInt64) throws -> ServerMessage {
        let manifest = update.manifest
        switch answer {
        case .accepted(let index):
            presence[site]?.note(localLoss: manifest.localLoss)
            logger.info("update accepted", metadata: ["site": "\(site)", "round": "\(manifest.key)", "entry": "\(index)", "loss": "\(manifest.localLoss)"])
            return try accepted(index, seenEntries)
        case .refused(let refusal):
            logger.warning(
                "update refused",
                metadata: ["site": "\(site)", "round": "\(manifest.key)", "reason": "\(refusal.reason.rawValue)", "detail": "\(refusal.detail)"])
            return .updateRefused(refusal)
        case .postponed(let reason): throw postponement(reason)
        case nil: throw postponement("the coordinator has no answer yet")
        }
    }

    /// A receipt, and the proof that its tree head extends what the site has seen.
    private func accepted(_ index: UInt64, _ seenEntries: UInt64) throws -> ServerMessage {
        .receipt(try receipt(of: index), consistencyProof: ledger.consistencyProof(from: min(Int(clamping: seenEntries), ledger.count)))
    }

    /// Nothing is answered from a ledger whose file is gone.
    func requireLedger() throws {
        do { try ledger.requireWhole() } catch {
            throw Refusal(
                .unavailable, "the coordinator cannot use its ledger: \(error)", hint: "the operator must put the file back, and start the coordinator again")
        }
    }

    func receipt(of index: UInt64) throws -> Receipt {
        do {
            return try ledger.receipt(of: index)
        } catch let error as LedgerError {
            logger.critical("an entry of the ledger cannot be read", metadata: ["entry": "\(index)", "reason": "\(error)"])
            throw postponement("the coordinator cannot read its ledger now")
        }
    }

    private func postponement(_ reason: String) -> Refusal {
        Refusal(.unavailable, reason, hint: "the update is kept, and submitted again by itself")
    }
}
