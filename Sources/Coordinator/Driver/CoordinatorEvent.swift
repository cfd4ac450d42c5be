import Federation
import Ledger
import Protocol
import Wire

/// One question that waits for its answer, as the shell numbers it.
package struct RequestID: Hashable, Sendable {
    package let number: UInt64
    package init(_ number: UInt64) { self.number = number }
}

/// What the driver hears.
package enum CoordinatorEvent: Sendable {
    /// From here on sites can connect.
    case started
    /// A site has said hello, and what it has seen of the ledger.
    case greeted(SiteID, HistoryStanding)
    /// A site's control connection is welcome.
    case arrived(SiteID, LinkID, CertificateTerm?)
    case left(SiteID, LinkID)
    case asked(RequestID, CoordinatorRequest)
    /// What the shell found when it looked at a submitted update.
    case inspected(RequestID, Inspection)
    /// The update is in the shared store, or why not.
    case published(RequestID, Inspection)
    case computed(AggregationTask, RoundAggregation.Outcome)
    case due(CoordinatorAlarm)
    /// All entries of the last `append` are on the disk.
    case appended(LedgerSnapshot)
    case appendFailed(String)
    /// The ledger was read again, after `reload` or `restore`.
    case read(ConsortiumState, LedgerSnapshot)
    case readFailed(String)
}

/// What the driver wants done; in this order.
package enum CoordinatorEffect: Sendable {
    /// Write entries durably, all or none; then `appended` or `appendFailed`.
    case append([Entry])
    /// Read the ledger again; then `read` or `readFailed`.
    case reload
    /// Put back entries that the ledger has lost; then `read` or `readFailed`.
    case restore([[UInt8]])
    /// Note durably that the ledger lacks what this tree head is over, or that it lacks nothing any more.
    case noteMissing(SignedTreeHead?)
    /// Look at a submitted update; then `inspected`. Certificates under `endedAuthorities` vouch for nothing.
    case inspect(RequestID, SignedUpdate, Plan, endedAuthorities: Set<Digest>)
    /// Put a sound update into the shared store, durably; then `published`.
    case publish(RequestID, UpdateManifest, Inspection)
    /// Compute a round; then `computed`.
    case compute(AggregationTask)
    /// Remove blobs of the shared store.
    case remove([Digest])
    /// Remove a site's own copy of an update.
    case discard(Digest, of: SiteID)
    /// A round is over: look for blobs that nothing needs.
    case sweep(wasAbandoned: Bool)
    /// Say to a site what it should do. `provedBy`: the entry that says why it is asked again.
    case assign(LinkID, Assignment, provedBy: UInt64?)
    case close(LinkID)
    case reply(RequestID, CoordinatorAnswer)
    /// The campaign's sites have changed.
    case sitesChanged
    case wake(CoordinatorAlarm, afterMilliseconds: Int64)
    case cancel(CoordinatorAlarm)
    case report(CoordinatorObservation)
}

/// What the driver is woken for; setting one again takes the place of the former.
package enum CoordinatorAlarm: Hashable, Sendable {
    case tick, retry, patience, hearing, computation
}

/// What a site or an operator asks for.
package enum CoordinatorRequest: Sendable {
    case submit(SignedUpdate, from: SiteID)
    case show(Receipt, by: SiteID)
    case open(Plan, by: String)
    case change(CampaignChange)
    case register(ModelName, ModelReference, by: String)
    case cut(ReleaseCutting)
    case prune(by: String)
    /// `missing`: up to where entries are missing, and how many are kept, as the shell has counted.
    case declareLoss(reason: String, by: String, missing: (head: SignedTreeHead, kept: UInt64)?)
    case correctClock(reason: String, by: String)
}

package enum CoordinatorAnswer: Sendable {
    case submission(SubmissionAnswer)
    case receiptSeen(isHeld: Bool)
    /// What was asked for is this entry of the ledger.
    case recorded(index: UInt64)
    case done
    case refused(Refusal)
}

/// A submitted update while it is looked at.
struct SubmissionInHand: Sendable {
    let update: SignedUpdate
    let site: SiteID
}
