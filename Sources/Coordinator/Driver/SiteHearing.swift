import Federation

/// The time after a start in which a coordinator hears what its sites have seen, before it decides anything by itself.
///
/// A ledger that was restored from a backup looks sound to its own coordinator: only its sites know that there was more
/// of it. Deadlines that passed meanwhile would be decided at once, and entries that the receipts of the sites could
/// have put back would have others in their places. It is over when all sites have come with a history that this ledger
/// extends: any one of them may be the one that has seen more. A site that is gone for long must not hold the others
/// up: after a while those of the quorum are enough, and at the end it is over in any case.
package struct SiteHearing: Equatable, Sendable {
    package let end: Timestamp
    private var heard: Set<SiteID> = []
    private var isPatient = true

    /// `nil`: no campaign runs, so nothing is decided unless an operator asks for it.
    package init?(
        _ campaign: CampaignState?,
        at now: Timestamp,
        milliseconds: Int64 = CoordinatorLimits.hearingMilliseconds
    ) {
        guard let campaign, campaign.end == nil else { return nil }
        end = now.adding(milliseconds: milliseconds)
    }

    /// A site has come, and this ledger extends all that it has seen.
    package mutating func note(_ site: SiteID) { heard.insert(site) }

    /// From here on the sites of the quorum are enough.
    package mutating func losePatience() { isPatient = false }

    /// `campaign`: the open one; nothing changes it while sites are heard.
    package func isOver(_ campaign: CampaignState?) -> Bool {
        guard let campaign, campaign.end == nil else { return true }
        let count = heard.intersection(campaign.plan.sites).count
        return count == campaign.plan.sites.count || !isPatient && count >= campaign.plan.quorum
    }
}
