/// The state of a campaign, as the fold of its entries.
public struct CampaignState: Equatable, Sendable {
    /// The plan with its amendments.
    public private(set) var plan: Plan
    /// The plan as it was opened, and its entry, so that a repeated request gets the same answer.
    public let opening: Opening
    public private(set) var current: GlobalState
    public private(set) var committedRounds = 0
    public private(set) var round: RoundState
    /// Since when and by whom the campaign is paused; `nil` if it is not paused.
    public private(set) var pause: Pause?
    /// Sites that no longer take part, with the reason.
    public private(set) var dropped: [SiteID: String] = [:]
    /// The change that ends the campaign before its plan does.
    public private(set) var stop: CampaignChange?
    public private(set) var end: CampaignEnd?
    /// The newest change and its entry.
    public private(set) var lastChange: RecordedChange?
    /// The entry of each accepted update by digest, so that a site that lost the answer can get its receipt again, and
    /// no digest counts twice.
    private var places: [Digest: RecordedUpdate] = [:]
    /// Further entries of the same digest: of another attempt at the same round, or in a ledger from when digests could
    /// repeat.
    private var furtherPlaces: [Digest: [RecordedUpdate]] = [:]
    /// By site, the newest abandonment that dropped its update: the site is asked for it again.
    public private(set) var lostUpdates: [SiteID: UInt64] = [:]
    public private(set) var acceptedBySite: [SiteID: Int] = [:]
    public private(set) var refusedBySite: [SiteID: Int] = [:]
    /// When the last completed round ended.
    private var roundEndedAt: Timestamp

    public struct Opening: Equatable, Sendable {
        public let plan: Plan
        public let index: UInt64
    }

    public struct Pause: Equatable, Sendable {
        public let change: CampaignChange
        public let at: Timestamp
    }

    public struct RecordedChange: Equatable, Sendable {
        public let change: CampaignChange
        public let index: UInt64
    }

    public struct RecordedUpdate: Equatable, Sendable {
        public let index: UInt64
        public let key: RoundKey
        public let site: SiteID
    }

    init(plan: Plan, base: ModelReference, index: UInt64, at time: Timestamp) {
        self.plan = plan
        opening = Opening(plan: plan, index: index)
        roundEndedAt = time
        current = GlobalState(model: base.digest, modelByteCount: base.byteCount, serverState: nil)
        round = RoundState(plan: plan, key: RoundKey(round: 1, attempt: 1), start: current, since: time)
    }

    public var updatesAccepted: Int { acceptedBySite.values.reduce(0, +) }
    public var updatesRefused: Int { refusedBySite.values.reduce(0, +) }

    /// Returns where the ledger holds exactly this update; `nil` if it does not.
    ///
    /// - Parameter manifest: The update's manifest; its campaign, round, attempt, site and digest are compared.
    public func place(of manifest: UpdateManifest) -> RecordedUpdate? {
        guard manifest.campaign == plan.campaign else { return nil }
        return places(of: manifest.update).last { $0.key == manifest.key && $0.site == manifest.site }
    }

    private func places(of digest: Digest) -> [RecordedUpdate] {
        guard let first = places[digest] else { return [] }
        return [first] + (furtherPlaces[digest] ?? [])
    }

    /// Whether the ledger holds an update with this digest from another site or for another round.
    func hasOtherUpdate(of manifest: UpdateManifest) -> Bool {
        places(of: manifest.update).contains {
            manifest.campaign != plan.campaign || $0.site != manifest.site || $0.key.round != manifest.key.round
        }
    }

    private mutating func addPlace(of manifest: UpdateManifest, index: UInt64) {
        // Use the plan's own value, to share its storage: a ledger has many entries of few sites.
        let site = plan.sites.first { $0 == manifest.site } ?? manifest.site
        let place = RecordedUpdate(index: index, key: manifest.key, site: site)
        if places[manifest.update] == nil {
            places[manifest.update] = place
        } else {
            furtherPlaces[manifest.update, default: []].append(place)
        }
    }

    /// How the campaign must end now; `nil` if it continues.
    public var dueEnd: CampaignEnd? {
        func ended(_ completed: Bool, _ reason: String) -> CampaignEnd {
            CampaignEnd(campaign: plan.campaign, completed: completed, reason: reason, model: current.model)
        }
        if committedRounds == plan.rounds { return ended(true, "all \(plan.rounds) rounds are committed") }
        if let stop { return ended(false, "stopped by \(stop.changedBy): \(stop.reason)") }
        if case .abandoned(let abandonment) = round.phase, round.key.attempt >= plan.maximumAttempts {
            return ended(
                false,
                "round \(round.key.round) was abandoned \(round.key.attempt) times, last: \(abandonment.reason)"
            )
        }
        return nil
    }

    mutating func apply(_ entry: Entry, index: UInt64) throws(LedgerViolation) {
        try require(end == nil, "belongs to a campaign that has ended")
        if case .campaignEnded(let end) = entry.body {
            try require(end == dueEnd, "ends the campaign in another way than the plan says")
            self.end = end
            return
        }
        try require(stop == nil, "follows the stop of its campaign, which only its end may follow")
        if case .campaignChanged(let change) = entry.body {
            try apply(change, at: entry.at)
            lastChange = RecordedChange(change: change, index: index)
            return
        }
        try require(pause == nil || round.isAggregating, "belongs to a campaign that is paused")
        try round.apply(entry)
        applyToTotals(entry, index: index)
        advance()
    }

    /// Updates the campaign for an entry of its round.
    private mutating func applyToTotals(_ entry: Entry, index: UInt64) {
        switch entry.body {
        case .updateAccepted(let accepted):
            let manifest = accepted.update.manifest
            addPlace(of: manifest, index: index)
            acceptedBySite[manifest.site, default: 0] += 1
        case .updateRefused(let refused):
            refusedBySite[refused.site, default: 0] += 1
        case .roundCommitted(let commit):
            current = commit.result
            committedRounds += 1
            roundEndedAt = entry.at
            lostUpdates = [:]
        case .roundAbandoned(let abandonment):
            for site in abandonment.without { lostUpdates[site] = index }
            roundEndedAt = entry.at
        default: break
        }
    }

    private mutating func apply(_ change: CampaignChange, at time: Timestamp) throws(LedgerViolation) {
        try require(change.campaign == plan.campaign, "changes \(change.campaign), but \(plan.campaign) is open")
        try require(
            CampaignChange.isReason(change.reason),
            "has no reason, or one longer than \(CampaignChange.reasonBytes) bytes"
        )
        switch change.action {
        case .stop: stop = change
        case .pause:
            try require(pause == nil, "pauses a campaign that is paused")
            pause = Pause(change: change, at: time)
        case .resume:
            guard let pause else { throw LedgerViolation("resumes a campaign that is not paused") }
            round.shift(milliseconds: time.milliseconds(since: pause.at))
            self.pause = nil
        case .amend(let amendment):
            plan = try plan.amended(by: amendment)
            for site in amendment.droppedSites {
                dropped[site] = "\(change.changedBy) dropped \(site) from \(plan.campaign): \(change.reason)"
            }
            round.adopt(plan, without: amendment.droppedSites)
        }
    }

    /// Moves waiting times when the clock is set back from `former` to `time`, so that their lengths stay the same.
    mutating func correctClock(from former: Timestamp, to time: Timestamp) {
        guard end == nil else { return }
        let change = time.milliseconds(since: former)
        round.shift(milliseconds: change)
        pause = pause.map { Pause(change: $0.change, at: $0.at.adding(milliseconds: change)) }
        roundEndedAt = roundEndedAt.adding(milliseconds: change)
    }

    /// Replaces a round that is over by the next round, or by the next attempt.
    private mutating func advance() {
        guard end == nil, dueEnd == nil else { return }
        switch round.phase {
        case .committed:
            round = RoundState(
                plan: plan,
                key: RoundKey(round: round.key.round + 1, attempt: 1),
                start: current,
                since: roundEndedAt,
                inheritance: round.inheritanceOfNextRound()
            )
        case .abandoned(let abandonment):
            round = RoundState(
                plan: plan,
                key: RoundKey(round: round.key.round, attempt: round.key.attempt + 1),
                start: current,
                since: roundEndedAt,
                inheritance: round.inheritance.without(abandonment.without)
            )
        default:
            break
        }
    }
}

extension RoundState {
    var isAggregating: Bool { if case .aggregating = phase { true } else { false } }
}
