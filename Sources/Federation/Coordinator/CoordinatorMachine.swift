/// The coordinator's decisions as a value: events in, effects out.
///
/// It consists of two values: the fold of the ledger's entries, which says what is true, and the presence of sites,
/// which only influences when something happens. Each new entry is folded exactly once, by the same fold that reads a
/// ledger.
public struct CoordinatorMachine: Sendable {
    public private(set) var state: ConsortiumState
    public internal(set) var presence: Presence

    public enum Event: Sendable {
        case arrived(SiteID)
        case left(SiteID)
        case submitted(Submission)
        case aggregated(RoundKey, GlobalState)
        /// The round cannot be computed; `without` lists the sites whose updates are lost.
        case aggregationFailed(RoundKey, String, without: [SiteID])
        case tick
    }

    public enum Effect: Equatable, Sendable {
        /// Must be durable before any effect that follows it.
        case record(Entry)
        case answer(SiteID, SubmissionAnswer)
        case aggregate(AggregationTask)
        /// Blobs that a pruning has released.
        case remove([Digest])
        /// Assignments may have changed.
        case announce
        /// This site's assignment has changed.
        case assign(SiteID)
        /// A defect of this program: it decided on an entry that the fold rejects. The entry has no effect.
        case fault(LedgerViolation)
    }

    /// Creates the machine as it stands after a ledger's entries.
    ///
    /// - Parameters:
    ///   - state: The fold of the whole ledger.
    ///   - presence: The sites that are connected, and since when.
    public init(state: ConsortiumState, presence: Presence = Presence()) {
        self.state = state
        self.presence = presence
    }

    /// When the next `tick` is due; `nil` if none is.
    public var wakeTime: Timestamp? {
        guard let campaign = state.campaign, campaign.end == nil, campaign.pause == nil else { return nil }
        return campaign.round.wakeTime(presence)
    }

    /// Returns what a site should do now.
    ///
    /// - Parameter site: Any site, in the open campaign's plan or not.
    public func assignment(for site: SiteID) -> Assignment {
        state.campaign?.assignment(for: site) ?? .rest(reason: "no campaign is open")
    }

    /// Repeats what must be done again after a restart, or after a time in which nothing could be decided.
    ///
    /// - Parameters:
    ///   - present: The sites that are connected now.
    ///   - now: The present time.
    /// - Returns: The effects to perform.
    public mutating func resume(present: Set<SiteID>, at now: Timestamp) -> [Effect] {
        let now = max(now, state.time)
        presence.sites = present
        let pruned = state.prunedBlobs
        var effects: [Effect] = pruned.isEmpty ? [] : [.remove(pruned.sorted())]
        if let campaign = state.campaign, campaign.end == nil {
            if let task = campaign.round.aggregation { effects.append(.aggregate(task)) }
            if campaign.dueEnd == nil, campaign.pause == nil, let extended = campaign.round.dueAfterOutage(at: now) {
                effects += record(extended, at: now)
            }
        }
        // An entry may have been written without its effects being performed, so announce the assignments again.
        return effects + settle(at: now) + [.announce]
    }

    /// Handles an event. If the clock was set back, entries still never get older than those before them.
    ///
    /// - Parameters:
    ///   - event: What has happened.
    ///   - now: The present time.
    /// - Returns: The effects to perform, in this order.
    public mutating func handle(_ event: Event, at now: Timestamp) -> [Effect] {
        let now = max(now, state.time)
        switch event {
        case .arrived(let site): presence.sites.insert(site)
        case .left(let site): presence.sites.remove(site)
        case .submitted(let submission): return submit(submission, at: now) + settle(at: now)
        case .aggregated(let key, let result):
            if let round = openRound(key), let commit = round.committed(result) {
                return record(commit, at: now) + settle(at: now)
            }
        case .aggregationFailed(let key, let reason, let sites):
            if let round = openRound(key), let abandonment = round.failed(reason, without: sites) {
                return record(abandonment, at: now) + settle(at: now)
            }
        case .tick: break
        }
        return settle(at: now)
    }

    private func openRound(_ key: RoundKey) -> RoundState? {
        guard let campaign = state.campaign, campaign.end == nil, campaign.round.key == key else { return nil }
        return campaign.round
    }

    /// Returns the answer that the manifest alone determines; `nil` if the update's signature and tensors must be
    /// inspected.
    ///
    /// - Parameters:
    ///   - manifest: The manifest, whose signature need not be verified yet.
    ///   - sender: The site in the TLS certificate.
    ///   - now: The present time.
    public func preliminaryAnswer(to manifest: UpdateManifest, from sender: SiteID, at now: Timestamp)
        -> SubmissionAnswer?
    {
        if manifest.site == sender, let place = state.place(of: manifest) { return .accepted(index: place.index) }
        guard let campaign = state.campaign, campaign.end == nil else {
            return .refused(UpdateRefusal(.wrongRound, "no round is open"))
        }
        if campaign.pause != nil { return .postponed(reason: campaign.pauseReason) }
        switch campaign.round.verdict(on: manifest, from: sender, at: max(now, state.time)) {
        case .refused(let refusal): return .refused(refusal)
        case .postponed(let reason): return .postponed(reason: reason)
        case .needsInspection: return nil
        }
    }

    // MARK: Decisions

    private mutating func submit(_ submission: Submission, at now: Timestamp) -> [Effect] {
        let (sender, manifest) = (submission.sender, submission.update.manifest)
        if manifest.site == sender, let place = state.place(of: manifest) {
            return [.answer(sender, .accepted(index: place.index))]
        }
        switch decide(on: submission, at: now) {
        case .accept(let accepted):
            return record(.updateAccepted(accepted), answering: sender, .accepted(index: state.entryCount), at: now)
        case .refuse(let refusal, let recorded?):
            return record(.updateRefused(recorded), answering: sender, .refused(refusal), at: now)
        case .refuse(let refusal, recorded: nil): return [.answer(sender, .refused(refusal))]
        case .postpone(let reason): return [.answer(sender, .postponed(reason: reason))]
        }
    }

    private func decide(on submission: Submission, at now: Timestamp) -> RoundState.Decision {
        guard let campaign = state.campaign else {
            return .refuse(UpdateRefusal(.wrongRound, "no round is open"), recorded: nil)
        }
        guard campaign.end == nil else {
            return .refuse(UpdateRefusal(.late, "\(campaign.plan.campaign) has ended"), recorded: nil)
        }
        guard campaign.pause == nil else { return .postpone(campaign.pauseReason) }
        return campaign.round.decide(on: checked(submission), at: now)
    }

    /// Refuses an update whose digest the ledger already names for something else. This is checked here and not in the
    /// fold, which must still accept older ledgers in which it happened. It is checked only if the site has uploaded
    /// the bytes, so that an answer does not reveal which digests the ledger names.
    private func checked(_ submission: Submission) -> Submission {
        let manifest = submission.update.manifest
        guard case .sound = submission.inspection, state.hasOtherUse(of: manifest) else { return submission }
        let refusal = UpdateRefusal(
            .duplicate,
            """
            blob \(manifest.update.short) is in the ledger already, and not as an update of \(manifest.site) for \
            round \(manifest.key.round)
            """
        )
        return Submission(sender: submission.sender, update: submission.update, inspection: .unsound(refusal))
    }

    /// Records what is due by now, one entry after another.
    mutating func settle(at now: Timestamp) -> [Effect] {
        var effects: [Effect] = []
        while let body = due(at: now) {
            effects += record(body, at: now)
            if case .fault? = effects.last { break }
        }
        return effects
    }

    private mutating func due(at now: Timestamp) -> Entry.Body? {
        guard let campaign = state.campaign, campaign.end == nil else { return nil }
        if let end = campaign.dueEnd { return .campaignEnded(end) }
        guard campaign.pause == nil else { return nil }
        presence.observe(campaign.round, at: now)
        return campaign.round.due(presence, at: now)
    }

    /// Folds an entry and returns its effects, including the sites to notify.
    mutating func record(_ body: Entry.Body, at now: Timestamp) -> [Effect] {
        do {
            return try apply(body, at: now) + body.changedAssignments + work(after: body)
        } catch {
            return [.fault(error)]
        }
    }

    /// Records an entry whose answer a site waits for. If it cannot be recorded, the answer is neither yes nor no.
    private mutating func record(
        _ body: Entry.Body,
        answering site: SiteID,
        _ answer: SubmissionAnswer,
        at now: Timestamp
    ) -> [Effect] {
        let effects = record(body, at: now)
        if case .fault(let violation)? = effects.last {
            return effects + [
                .answer(
                    site,
                    .postponed(reason: "the coordinator could not record its decision: the entry \(violation.message)")
                )
            ]
        }
        return effects + [.answer(site, answer)]
    }

    private func work(after body: Entry.Body) -> [Effect] {
        guard case .roundClosed = body, let task = state.campaign?.round.aggregation else { return [] }
        return [.aggregate(task)]
    }

    mutating func apply(_ body: Entry.Body, at time: Timestamp) throws(LedgerViolation) -> [Effect] {
        let entry = Entry(at: time, body)
        try state.apply(entry)
        return [.record(entry)]
    }
}

extension Entry.Body {
    /// Which sites this entry affects: all, one or none.
    var changedAssignments: [CoordinatorMachine.Effect] {
        switch self {
        case .updateRefused, .founded, .modelRegistered, .releaseCut, .updatesPruned, .clockCorrected, .lossDeclared,
            .authorityRotated:
            []
        case .updateAccepted(let accepted): [.assign(accepted.update.manifest.site)]
        case .campaignOpened, .roundOpened, .roundExtended, .roundClosed, .roundCommitted, .roundAbandoned,
            .campaignEnded, .campaignChanged:
            [.announce]
        }
    }
}

extension CampaignState {
    var pauseReason: String {
        pause.map { "the campaign is paused by \($0.change.changedBy): \($0.change.reason)" } ?? ""
    }
}
