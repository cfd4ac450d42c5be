import Federation
import Ledger

/// What happens in a coordinator, for its log, metrics or a console.
package enum CoordinatorObservation: Sendable {
    /// An entry is in the ledger.
    case recorded(Entry)
    case siteConnected(SiteID, again: Bool)
    case siteDisconnected(SiteID)
    /// A site's attempt to connect failed.
    case turnedAway(SiteID, reason: String)
    case updateAccepted(UpdateManifest, entry: UInt64)
    case updateRefused(UpdateManifest, from: SiteID, UpdateRefusal)
    case startupWaitBegan(until: Timestamp)
    case historyMissing(SignedTreeHead, seenBy: SiteID, entries: Int)
    case lostEntryShown(UInt64, by: SiteID)
    case entriesRestored(Int, entries: Int)
    case historyIsWhole(entries: Int)
    case lossDeclared(LossDeclaration, lost: Int)
    case clockCorrected(ClockCorrection)
    case campaignOpened(CampaignID, by: String)
    case modelRegistered(ModelName, Digest, by: String)
    case updatesLost(RoundKey, reason: String)
    case computationBlocked(RoundKey, reason: String)
    /// Nothing can be decided now.
    case undecided(String, hint: String)
    /// A defect of this program.
    case fault(String)
}
