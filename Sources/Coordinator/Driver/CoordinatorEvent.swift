import Federation
import Ledger
import Protocol
import Wire

/// The shell's number for a request that waits for its answer.
package struct RequestID: Hashable, Sendable {
    package let number: UInt64
    package init(_ number: UInt64) { self.number = number }
}

/// An input of the driver.
package enum CoordinatorEvent: Sendable {
    /// Sites can connect from here on.
    case started
    /// A site has sent its hello, with what it has seen of the ledger.
    case greeted(SiteID, HistoryStanding)
    /// A site's control connection was accepted.
    case arrived(SiteID, LinkID, ValidityPeriod?)
    case left(SiteID, LinkID)
    case asked(RequestID, CoordinatorRequest)
    /// The result of the shell's inspection of a submitted update.
    case inspected(RequestID, Inspection)
    /// The update is in the shared store, or the inspection says why not.
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

/// An action that the driver asks for; the shell performs them in order.
package enum CoordinatorEffect: Sendable {
    /// Write entries durably, all or none; then `appended` or `appendFailed`.
    case append([Entry])
    /// Read the ledger again; then `read` or `readFailed`.
    case reload
    /// Restore entries that the ledger has lost; then `read` or `readFailed`.
    case restore([[UInt8]])
    /// Store durably the tree head whose entries the ledger lacks, or `nil` if it no longer lacks any.
    case storeMissingHistory(SignedTreeHead?)
    /// Inspect a submitted update; then `inspected`. Certificates issued under `endedAuthorities` are not valid.
    case inspect(RequestID, SignedUpdate, Plan, endedAuthorities: Set<Digest>)
    /// Put a valid update into the shared store, durably; then `published`.
    case publish(RequestID, UpdateManifest, Inspection)
    /// Compute a round; then `computed`.
    case compute(AggregationTask)
    /// Remove blobs from the shared store.
    case remove([Digest])
    /// Remove a site's own copy of an update.
    case discard(Digest, of: SiteID)
    /// A round has ended: look for blobs that nothing needs.
    case sweep(wasAbandoned: Bool)
    /// Tell a site what to do. `provedBy` is the entry that explains why it is asked again.
    case assign(LinkID, Assignment, provedBy: UInt64?)
    case close(LinkID)
    case reply(RequestID, CoordinatorAnswer)
    /// The campaign's sites have changed.
    case sitesChanged
    case wake(CoordinatorAlarm, afterMilliseconds: Int64)
    case cancel(CoordinatorAlarm)
    case report(CoordinatorObservation)
}

/// What the driver is woken for; setting an alarm again replaces the earlier setting.
package enum CoordinatorAlarm: Hashable, Sendable {
    case tick, retry, fullAttendance, startupWait, computation
}

/// A request of a site or an operator.
package enum CoordinatorRequest: Sendable {
    case submit(SignedUpdate, from: SiteID)
    case show(Receipt, by: SiteID)
    /// `abandonsRelease`: also if the last campaign's release can then never be cut.
    case open(Plan, by: String, abandonsRelease: Bool)
    case change(CampaignChange)
    case register(ModelName, ModelReference, by: String)
    case cut(ReleaseCutting)
    case prune(by: String)
    /// `missing`: The newest tree head whose entries are missing, and how many entries remain, as the shell has
    /// counted.
    case declareLoss(reason: String, by: String, missing: (head: SignedTreeHead, kept: UInt64)?)
    case correctClock(reason: String, by: String)
}

package enum CoordinatorAnswer: Sendable {
    case submission(SubmissionAnswer)
    case receiptSeen(isHeld: Bool)
    /// The request resulted in this entry of the ledger.
    case recorded(index: UInt64)
    case done
    case refused(Refusal)
}

/// A submitted update during its inspection.
struct SubmissionInHand: Sendable {
    let update: SignedUpdate
    let site: SiteID
}
