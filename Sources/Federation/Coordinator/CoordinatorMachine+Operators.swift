/// What operators ask for.
extension CoordinatorMachine {
    /// Returns the entry that opened the newest campaign, if its plan is this one: a request may be repeated after its
    /// answer was lost.
    ///
    /// - Parameter draft: The plan that is asked for. If it names no file of its base, the registered model's is taken.
    public func opening(of draft: Plan) -> UInt64? {
        guard let campaign = state.campaign, campaign.end == nil, campaign.opening.plan == completed(draft) else {
            return nil
        }
        return campaign.opening.index
    }

    private func completed(_ draft: Plan) -> Plan {
        var plan = draft
        plan.model = plan.model ?? state.models[plan.base]
        return plan
    }

    /// Returns why a campaign could not be opened with this plan if none were running; `nil` if it could.
    ///
    /// - Parameter draft: The plan that is asked for. If it names no file of its base, the registered model's is taken.
    public func problem(of draft: Plan) -> LedgerViolation? {
        do { try state.checkOpening(completed(draft)) } catch { return error }
        return nil
    }

    /// Opens a campaign.
    ///
    /// - Parameters:
    ///   - draft: The plan. If it names no file of its base, the registered model's is taken.
    ///   - operatorName: Who asks for it: `operator/<name>`.
    ///   - now: The present time.
    /// - Returns: The effects to perform.
    /// - Throws: `LedgerViolation` if the plan is not valid or a campaign is running.
    public mutating func open(_ draft: Plan, by operatorName: String, at now: Timestamp) throws(LedgerViolation)
        -> [Effect]
    {
        let now = max(now, state.time)
        let plan = completed(draft)
        return try apply(.campaignOpened(plan, by: operatorName), at: now) + settle(at: now) + [.announce]
    }

    /// Returns the entry of this change, if it is the newest change: a request may be repeated after its answer was
    /// lost.
    ///
    /// - Parameter change: The change that is asked for; its operator and reason are compared too.
    public func record(of change: CampaignChange) -> UInt64? {
        guard let campaign = state.campaign, let last = campaign.lastChange, last.change == change else { return nil }
        guard campaign.end == nil || change.action == .stop else { return nil }
        return last.index
    }

    /// Stops, pauses, resumes or amends the open campaign.
    ///
    /// - Parameters:
    ///   - change: The change, with its operator and reason.
    ///   - now: The present time.
    /// - Returns: The effects to perform.
    /// - Throws: `LedgerViolation` if the campaign does not allow this change now.
    public mutating func change(_ change: CampaignChange, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        guard state.campaign != nil else { throw LedgerViolation("changes a campaign, but none is open") }
        let now = max(now, state.time)
        let paused = state.campaign?.pause?.at
        let effects = try apply(.campaignChanged(change), at: now)
        if let paused, change.action == .resume { presence.shift(milliseconds: now.milliseconds(since: paused)) }
        return effects + settle(at: now) + [.announce]
    }

    /// Registers another base model.
    ///
    /// - Parameters:
    ///   - name: The name, which no model, release or open campaign's release may have.
    ///   - model: The model's file and the layout of its tensors.
    ///   - operatorName: Who asks for it: `operator/<name>`.
    ///   - now: The present time.
    /// - Returns: The effects to perform.
    /// - Throws: `LedgerViolation` if the name is not available.
    public mutating func register(
        _ name: ModelName,
        _ model: ModelReference,
        by operatorName: String,
        at now: Timestamp
    ) throws(LedgerViolation) -> [Effect] {
        try apply(.modelRegistered(name, model, by: operatorName), at: max(now, state.time))
    }

    /// Declares that the ledger has lost entries which it once had, and that the entries it holds now are all that is
    /// left.
    ///
    /// - Parameters:
    ///   - loss: The declaration, with its operator and reason.
    ///   - now: The present time.
    /// - Returns: The effects to perform.
    /// - Throws: `LedgerViolation` if the declaration is not valid.
    public mutating func declare(_ loss: LossDeclaration, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        try apply(.lossDeclared(loss), at: max(now, state.time)) + [.announce]
    }

    /// Changes the certificate authority.
    ///
    /// - Parameters:
    ///   - rotation: The new authority. The caller has verified both signatures.
    ///   - now: The present time.
    /// - Returns: The effects to perform.
    /// - Throws: `LedgerViolation` if the former authority is not in force, or the new one was in force before.
    public mutating func rotate(_ rotation: AuthorityRotation, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        try apply(.authorityRotated(rotation), at: max(now, state.time))
    }

    /// Records that the clock was ahead: entries continue from `now`, which is earlier than the newest entry.
    ///
    /// - Parameters:
    ///   - correction: The operator and the reason.
    ///   - now: The present time, earlier than that of the newest entry.
    /// - Returns: The effects to perform.
    /// - Throws: `LedgerViolation` if the clock was not ahead.
    public mutating func correctClock(_ correction: ClockCorrection, at now: Timestamp) throws(LedgerViolation)
        -> [Effect]
    {
        let former = state.time
        let effects = try apply(.clockCorrected(correction), at: now)
        presence.shift(milliseconds: now.milliseconds(since: former))
        return effects + settle(at: now) + [.announce]
    }

    /// Records a release of the campaign that has ended.
    ///
    /// - Parameters:
    ///   - cutting: The release, which must be the plan's.
    ///   - now: The present time.
    /// - Returns: The effects to perform.
    /// - Throws: `LedgerViolation` if the release cannot be cut.
    public mutating func cut(_ cutting: ReleaseCutting, at now: Timestamp) throws(LedgerViolation) -> [Effect] {
        try apply(.releaseCut(cutting), at: max(now, state.time))
    }

    /// Releases the blobs of rounds whose retention period has passed.
    ///
    /// - Parameters:
    ///   - operatorName: Who asks for it: `operator/<name>`.
    ///   - now: The present time.
    /// - Returns: The effects to perform: an entry for each campaign, then the removal of the blobs; empty if there is
    ///   nothing to prune.
    public mutating func prune(by operatorName: String, at now: Timestamp) -> [Effect] {
        let now = max(now, state.time)
        let prunings = state.archive.expired(at: now, by: operatorName)
        guard !prunings.isEmpty else { return [] }
        let records = prunings.flatMap { record(.updatesPruned($0), at: now) }
        return records + [.remove(state.prunedBlobs.sorted())]
    }
}
