/// A campaign as its entries tell it.
public struct CampaignState: Equatable, Sendable {
    public let plan: Plan
    public private(set) var current: GlobalState
    public private(set) var committedRounds = 0
    public internal(set) var round: RoundMachine
    public private(set) var end: CampaignEnd?
    /// Every accepted update's entry by its digest, so that a site that lost the answer gets its receipt again, and no digest
    /// counts for two.
    private var places: [Digest: UpdatePlace] = [:]
    /// Further entries of a digest: another attempt's at the same round, or those of a ledger from when digests could repeat.
    private var furtherPlaces: [Digest: [UpdatePlace]] = [:]
    public private(set) var acceptedBySite: [SiteID: Int] = [:]
    public private(set) var refusedBySite: [SiteID: Int] = [:]

    public struct UpdatePlace: Equatable, Sendable {
        public let index: UInt64
        public let key: RoundKey
        public let site: SiteID
    }

    init(plan: Plan, base: ModelReference) {
        self.plan = plan
        current = GlobalState(model: base.digest, modelByteCount: base.byteCount, serverState: nil)
        round = RoundMachine(plan: plan, key: RoundKey(round: 1, attempt: 1), start: current)
    }

    public var updatesAccepted: Int { acceptedBySite.values.reduce(0, +) }
    public var updatesRefused: Int { refusedBySite.values.reduce(0, +) }

    /// Where the ledger holds exactly this update, if it does.
    public func place(of manifest: UpdateManifest) -> UpdatePlace? {
        guard manifest.campaign == plan.campaign else { return nil }
        return places(of: manifest.update).last { $0.key == manifest.key && $0.site == manifest.site }
    }

    private func places(of digest: Digest) -> [UpdatePlace] {
        guard let first = places[digest] else { return [] }
        return [first] + (furtherPlaces[digest] ?? [])
    }

    /// Whether an update with this digest is in the ledger that is not this site's own of this round.
    func hasOtherUpdate(of manifest: UpdateManifest) -> Bool {
        places(of: manifest.update).contains {
            manifest.campaign != plan.campaign || $0.site != manifest.site || $0.key.round != manifest.key.round
        }
    }

    private mutating func note(_ manifest: UpdateManifest, index: UInt64) {
        // The plan's own value shares its storage: a ledger has many entries of a few sites.
        let site = plan.sites.first { $0 == manifest.site } ?? manifest.site
        let place = UpdatePlace(index: index, key: manifest.key, site: site)
        if places[manifest.update] == nil { places[manifest.update] = place } else { furtherPlaces[manifest.update, default: []].append(place) }
    }

    /// How the campaign must end now; `nil` while it goes on.
    public var dueEnd: CampaignEnd? {
        if committedRounds == plan.rounds {
            return CampaignEnd(campaign: plan.campaign, completed: true, reason: "all \(plan.rounds) rounds are committed", model: current.model)
        }
        if case .abandoned(let abandonment) = round.phase, round.key.attempt >= plan.maximumAttempts {
            let why = "round \(round.key.round) was abandoned \(round.key.attempt) times, last: \(abandonment.reason)"
            return CampaignEnd(campaign: plan.campaign, completed: false, reason: why, model: current.model)
        }
        return nil
    }

    mutating func apply(_ entry: Entry, index: UInt64) throws(LedgerViolation) {
        try require(end == nil, "belongs to a campaign that has ended")
        if case .campaignEnded(let end) = entry.body {
            try require(end == dueEnd, "ends the campaign otherwise than the plan says")
            self.end = end
            return
        }
        advance()
        try round.apply(entry)
        switch entry.body {
        case .updateAccepted(let accepted):
            let manifest = accepted.update.manifest
            note(manifest, index: index)
            acceptedBySite[manifest.site, default: 0] += 1
        case .updateRefused(let refused):
            refusedBySite[refused.site, default: 0] += 1
        case .roundCommitted(let commit):
            current = commit.result
            committedRounds += 1
        default:
            break
        }
    }

    /// Puts the next round, or the next attempt, in the place of one that is over.
    mutating func advance() {
        guard end == nil, dueEnd == nil else { return }
        switch round.phase {
        case .committed:
            round = RoundMachine(
                plan: plan, key: RoundKey(round: round.key.round + 1, attempt: 1), start: current,
                inheritance: round.inheritanceOfNextRound())
        case .abandoned(let abandonment):
            round = RoundMachine(
                plan: plan, key: RoundKey(round: round.key.round, attempt: round.key.attempt + 1), start: current,
                inheritance: round.inheritance.without(abandonment.without))
        default:
            break
        }
    }
}
