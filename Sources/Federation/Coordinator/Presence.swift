/// Who is connected, and since when that is enough for a round. Not in the ledger: it decides when something happens,
/// and never what is true.
public struct Presence: Equatable, Sendable {
    public internal(set) var sites: Set<SiteID>
    private var quorum: Quorum?

    /// Enough sites for an attempt at a round.
    private struct Quorum: Equatable {
        let campaign: CampaignID
        let key: RoundKey
        var since: Timestamp
    }

    public init(_ sites: Set<SiteID> = []) { self.sites = sites }

    /// Notes whether the quorum of `round` is there.
    mutating func observe(_ round: RoundState, at now: Timestamp) {
        guard case .recruiting = round.phase, round.cohort(sites).count >= round.plan.quorum else {
            return quorum = nil
        }
        if quorumSince(of: round) == nil { quorum = Quorum(campaign: round.plan.campaign, key: round.key, since: now) }
    }

    /// Since when enough sites have been there for this attempt at the round; `nil`: they are not.
    func quorumSince(of round: RoundState) -> Timestamp? {
        guard let quorum, quorum.key == round.key, quorum.campaign == round.plan.campaign else { return nil }
        return quorum.since
    }

    /// Waits as long as before: a pause is over, or the clock was corrected.
    mutating func shift(milliseconds: Int64) {
        guard let since = quorum?.since else { return }
        quorum?.since = since.adding(milliseconds: milliseconds)
    }
}
