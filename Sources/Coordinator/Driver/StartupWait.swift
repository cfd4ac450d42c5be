import Federation

/// The wait after a start in which sites report what they have seen, before the coordinator decides anything by itself.
///
/// A ledger that was restored from a backup looks valid to its own coordinator: only its sites know that it was longer.
/// Without the wait, deadlines that have passed meanwhile would be decided at once, and the new entries would occupy
/// the indices of entries that the sites' receipts could restore. The wait ends when all sites have connected with a
/// history that this ledger extends, since any of them may have seen more. So that a long-absent site does not block
/// the others, a quorum is enough after a while, and a time limit ends the wait in any case.
package struct StartupWait: Equatable, Sendable {
    package let end: Timestamp
    private var connected: Set<SiteID> = []
    private var needsAll = true

    /// Returns `nil` if no campaign is running: then nothing is decided unless an operator asks for it.
    package init?(
        _ campaign: CampaignState?,
        at now: Timestamp,
        milliseconds: Int64 = CoordinatorLimits.startupWaitMilliseconds
    ) {
        guard let campaign, campaign.end == nil else { return nil }
        end = now.adding(milliseconds: milliseconds)
    }

    /// Records that a site has connected and that this ledger extends everything it has seen.
    package mutating func recordConnection(of site: SiteID) { connected.insert(site) }

    /// Makes a quorum sufficient from here on.
    package mutating func acceptQuorum() { needsAll = false }

    /// - Parameter campaign: The open campaign; it cannot change during the wait.
    package func isOver(_ campaign: CampaignState?) -> Bool {
        guard let campaign, campaign.end == nil else { return true }
        let count = connected.intersection(campaign.plan.sites).count
        return count == campaign.plan.sites.count || !needsAll && count >= campaign.plan.quorum
    }
}
