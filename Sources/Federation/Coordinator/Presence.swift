/// The connected sites, and since when they have been a quorum. This is not in the ledger: it influences when something
/// happens, but never what is true.
public struct Presence: Equatable, Sendable {
    public internal(set) var sites: Set<SiteID>
    private var quorum: Quorum?

    /// A quorum for one attempt at a round.
    private struct Quorum: Equatable {
        let campaign: CampaignID
        let key: RoundKey
        var since: Timestamp
    }

    /// Creates the presence of sites that have not been a quorum yet.
    ///
    /// - Parameter sites: The sites that are connected.
    public init(_ sites: Set<SiteID> = []) { self.sites = sites }

    /// Records whether a quorum for `round` is connected.
    mutating func observe(_ round: RoundState, at now: Timestamp) {
        guard case .recruiting = round.phase, round.cohort(sites).count >= round.plan.quorum else {
            return quorum = nil
        }
        if quorumSince(of: round) == nil { quorum = Quorum(campaign: round.plan.campaign, key: round.key, since: now) }
    }

    /// Since when a quorum for this attempt has been connected; `nil` if there is none.
    func quorumSince(of round: RoundState) -> Timestamp? {
        guard let quorum, quorum.key == round.key, quorum.campaign == round.plan.campaign else { return nil }
        return quorum.since
    }

    /// Moves the start of the wait after a pause or a correction of the clock, so that its length stays the same.
    mutating func shift(milliseconds: Int64) {
        guard let since = quorum?.since else { return }
        quorum?.since = since.adding(milliseconds: milliseconds)
    }
}
