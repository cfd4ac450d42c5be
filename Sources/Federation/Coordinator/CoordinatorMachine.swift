/// The coordinator's decisions as a value: events in, effects out.
///
/// Its state is the fold of the ledger's entries; what is not in the ledger (who is connected) decides only when
/// something happens, never what is true.
public struct CoordinatorMachine: Sendable {
    public private(set) var state: ConsortiumState
    /// The sites that are connected now.
    public private(set) var present: Set<SiteID>

    public enum Event: Sendable {
        case arrived(SiteID)
        case left(SiteID)
        case submitted(Submission)
        case aggregated(RoundKey, GlobalState)
        /// The round cannot be computed; `without` names sites whose updates are lost.
        case aggregationFailed(RoundKey, String, without: [SiteID])
        case tick
    }

    public enum Effect: Equatable, Sendable {
        /// Durable before any effect that follows it.
        case record(Entry)
        case answer(SiteID, SubmissionAnswer)
        case aggregate(AggregationTask)
        /// Blobs that the ledger has given up.
        case remove([Digest])
        /// Assignments may have changed.
        case announce
        /// This site's assignment has changed.
        case assign(SiteID)
    }

    /// `state` is the fold of the whole ledger.
    public init(state: ConsortiumState, present: Set<SiteID> = []) {
        self.state = state
        self.present = present
    }

    /// When `tick` is due next, if ever.
    public var wakeTime: Timestamp? {
        guard let campaign = state.campaign, campaign.end == nil, campaign.pause == nil else { return nil }
        return campaign.round.wakeTime
    }

    public func assignment(for site: SiteID) -> Assignment {
        state.campaign?.assignment(for: site) ?? .rest(reason: "no campaign is open")
    }

    /// What must be done again after a restart.
    public mutating func resume(at now: Timestamp) -> [Effect] {
        let now = max(now, state.time)
        let pruned = state.prunedBlobs
        let removal: [Effect] = pruned.isEmpty ? [] : [.remove(pruned.sorted())]
        // What was written without its effects being seen, nobody has heard of.
        guard let campaign = state.campaign, campaign.end == nil else { return removal + [.announce] }
        return removal + effects(campaign.round.resume(), at: now) + settle(at: now) + pass(.restarted, at: now) + pass(.presence(present), at: now)
            + pass(.tick, at: now) + [.announce]
    }

    /// A clock that was set back does not make entries older than those before them.
    public mutating func handle(_ event: Event, at now: Timestamp) -> [Effect] {
        let now = max(now, state.time)
        switch event {
        case .arrived(let site):
            present.insert(site)
            return pass(.presence(present), at: now)
        case .left(let site):
            present.remove(site)
            return pass(.presence(present), at: now)
        case .submitted(let submission):
            return submit(submission, at: now)
        case .aggregated(let key, let result):
            return key == state.campaign?.round.key ? pass(.aggregated(result), at: now) : []
        case .aggregationFailed(let key, let reason, let sites):
            return key == state.campaign?.round.key ? pass(.aggregationFailed(reason, without: sites), at: now) : []
        case .tick:
            return pass(.tick, at: now)
        }
    }

    /// The answer that an update would get on the strength of its manifest; `nil` where its tensors are worth a look.
    public func preliminaryAnswer(to manifest: UpdateManifest, from sender: SiteID, at now: Timestamp) -> SubmissionAnswer? {
        if manifest.site == sender, let place = state.place(of: manifest) { return .accepted(index: place.index) }
        guard let campaign = state.campaign, campaign.end == nil else { return .refused(UpdateRefusal(.wrongRound, "no round is open")) }
        if campaign.pause != nil { return .postponed(reason: campaign.pauseReason) }
        switch campaign.round.verdict(on: manifest, from: sender, at: max(now, state.time)) {
        case .refused(let refusal): return .refused(refusal)
        case .postponed(let reason): return .postponed(reason: reason)
        case .worthALook: return nil
        }
    }

    // MARK: Operators

    /// The entry that opened exactly this plan, if it is that of the newest campaign: an answer may have been lost.
    public func opening(of draft: Plan) -> UInt64? {
        guard let campaign = state.campaign, campaign.end == nil, campaign.opening.plan == completed(draft) else { return nil }
        return campaign.opening.index
    }

    private func completed(_ draft: Plan) -> Plan {
        var plan = draft
        plan.model = plan.model ?? state.models[plan.base]
        return plan
    }

    /// What stands against opening a campaign by this plan, once none runs.
    public func problem(of draft: Plan) -> LedgerViolation? {
        do { try state.checkOpening(completed(draft)) } catch { return error }
        return nil
    }

    /// Opens a campaign, or says what is wrong with the plan.
    public mutating func open(_ draft: Plan, by operatorName: String, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        let now = max(now, state.time)
        let plan = completed(draft)
        let entry = Entry(at: now, .campaignOpened(plan, by: operatorName))
        try state.apply(entry)
        return [.record(entry)] + pass(.presence(present), at: now) + [.announce]
    }

    /// The entry of exactly this change, if it is the newest one: an answer may have been lost.
    public func record(of change: CampaignChange) -> UInt64? {
        guard let campaign = state.campaign, let last = campaign.lastChange, last.change == change else { return nil }
        guard campaign.end == nil || change.action == .stop else { return nil }
        return last.index
    }

    /// Stops, pauses, resumes or amends the open campaign.
    public mutating func change(_ change: CampaignChange, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        guard state.campaign != nil else { throw LedgerViolation("changes a campaign, but none is open") }
        let now = max(now, state.time)
        let entry = Entry(at: now, .campaignChanged(change))
        try state.apply(entry)
        return [.record(entry)] + settle(at: now) + pass(.presence(present), at: now) + pass(.tick, at: now) + [.announce]
    }

    /// Registers a further base model.
    public mutating func register(_ name: ModelName, _ model: ModelReference, by operatorName: String, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        try note(.modelRegistered(name, model, by: operatorName), at: max(now, state.time))
    }

    /// Declares that the ledger lacks entries which it once had. `present`: what it holds is all that is left.
    public mutating func declare(_ loss: LossDeclaration, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        try note(.lossDeclared(loss), at: max(now, state.time)) + [.announce]
    }

    /// The certificate authority changes.
    public mutating func rotate(_ rotation: AuthorityRotation, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        try note(.authorityRotated(rotation), at: max(now, state.time))
    }

    /// The clock had been ahead: entries go on from `now`, which is earlier than the newest one.
    public mutating func correctClock(_ correction: ClockCorrection, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        try note(.clockCorrected(correction), at: now) + pass(.presence(present), at: now) + pass(.tick, at: now) + [.announce]
    }

    private mutating func note(_ body: Entry.Body, at time: Timestamp) throws(LedgerViolation) -> [Effect] {
        let entry = Entry(at: time, body)
        try state.apply(entry)
        return [.record(entry)]
    }

    /// Records a release of the ended campaign.
    public mutating func cut(_ cutting: ReleaseCutting, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        let entry = Entry(at: max(now, state.time), .releaseCut(cutting))
        try state.apply(entry)
        return [.record(entry)]
    }

    /// Gives up the blobs of rounds whose retention has passed.
    public mutating func prune(by operatorName: String, at now: Timestamp) -> [Effect] {
        let now = max(now, state.time)
        let prunings = state.archive.expired(at: now, by: operatorName)
        guard !prunings.isEmpty else { return [] }
        let records = prunings.map { record(.updatesPruned($0), at: now) }
        return records + [.remove(state.prunedBlobs.sorted())]
    }

    // MARK: Passing on to the round

    private mutating func submit(_ submission: Submission, at now: Timestamp) -> [Effect] {
        let manifest = submission.update.manifest
        if manifest.site == submission.sender, let place = state.place(of: manifest) {
            return [.answer(submission.sender, .accepted(index: place.index))]
        }
        guard let campaign = state.campaign else {
            return [.answer(submission.sender, .refused(UpdateRefusal(.wrongRound, "no round is open")))]
        }
        guard campaign.end == nil else {
            return [.answer(submission.sender, .refused(UpdateRefusal(.late, "\(campaign.plan.campaign) has ended")))]
        }
        return pass(.submitted(checked(submission)), at: now)
    }

    /// A digest that has its place already is nobody's new update. Decided here and not by the fold, which must go on to take
    /// ledgers in which it happened; and only of a site that has sent the bytes, so that no answer says what the ledger names.
    private func checked(_ submission: Submission) -> Submission {
        let manifest = submission.update.manifest
        guard case .sound = submission.inspection, state.hasOtherUse(of: manifest) else { return submission }
        let refusal = UpdateRefusal(
            .duplicate, "blob \(manifest.update.short) is in the ledger already, and not as an update of \(manifest.site) for round \(manifest.key.round)")
        return Submission(sender: submission.sender, update: submission.update, inspection: .unsound(refusal))
    }

    private mutating func pass(_ event: RoundMachine.Event, at now: Timestamp) -> [Effect] {
        guard let campaign = state.campaign, campaign.end == nil else { return [] }
        if campaign.pause != nil, !event.isCompletion {
            guard case .submitted(let submission) = event else { return [] }
            return [.answer(submission.sender, .postponed(reason: campaign.pauseReason))]
        }
        var round = state.campaign!.round
        let decided = effects(round.handle(event, at: now), at: now)
        precondition(state.campaign!.round.phase == round.phase, "the fold and the round disagree")
        state.campaign!.round = round  // with who is present, which the fold does not know
        return decided + settle(at: now)
    }

    /// Records the round's decisions through the one fold there is.
    private mutating func effects(_ effects: [RoundMachine.Effect], at now: Timestamp) -> [Effect] {
        effects.flatMap { effect -> [Effect] in
            switch effect {
            case .record(let body):
                return [record(body, at: now)] + body.changedAssignments
            case .acknowledge(let site):
                return [.answer(site, .accepted(index: state.entryCount - 1))]
            case .refuse(let site, let refusal):
                return [.answer(site, .refused(refusal))]
            case .postpone(let site, let reason):
                return [.answer(site, .postponed(reason: reason))]
            case .aggregate(let task):
                return [.aggregate(task)]
            }
        }
    }

    /// Ends the campaign or begins the next round where one is over.
    private mutating func settle(at now: Timestamp) -> [Effect] {
        guard let campaign = state.campaign, campaign.end == nil else { return [] }
        if let end = campaign.dueEnd {
            return [record(.campaignEnded(end), at: now), .announce]
        }
        switch campaign.round.phase {
        case .committed, .abandoned:
            state.campaign!.advance()
            return pass(.presence(present), at: now)
        default:
            return []
        }
    }

    private mutating func record(_ body: Entry.Body, at now: Timestamp) -> Effect {
        let entry = Entry(at: now, body)
        do {
            try state.apply(entry)
        } catch {
            preconditionFailure("the coordinator decided an entry that the fold refuses: \(error.message)")
        }
        return .record(entry)
    }
}

extension Entry.Body {
    /// Who must hear of this entry: all sites, one, or none.
    var changedAssignments: [CoordinatorMachine.Effect] {
        switch self {
        case .updateRefused, .founded, .modelRegistered, .releaseCut, .updatesPruned, .clockCorrected, .lossDeclared, .authorityRotated: []
        case .updateAccepted(let accepted): [.assign(accepted.update.manifest.site)]
        case .campaignOpened, .roundOpened, .roundExtended, .roundClosed, .roundCommitted, .roundAbandoned, .campaignEnded, .campaignChanged: [.announce]
        }
    }
}

extension RoundMachine.Event {
    /// Whether it ends work that was begun before: a pause does not hold that up.
    fileprivate var isCompletion: Bool {
        switch self {
        case .aggregated, .aggregationFailed: true
        case .presence, .submitted, .restarted, .tick: false
        }
    }
}

extension CampaignState {
    var pauseReason: String { pause.map { "the campaign is paused by \($0.change.changedBy): \($0.change.reason)" } ?? "" }
}
