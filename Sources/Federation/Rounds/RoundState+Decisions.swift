/// The coordinator's decisions about a round: proposed entries, which the fold applies. Nothing here changes the round.
extension RoundState {
    /// The number of refusals of one site that a round records. Further ones are only answered, so that no site can
    /// fill the ledger.
    public static let recordedRefusalsPerSite = 8

    // MARK: Entries that are due without a request

    /// The earliest time at which ``due(_:at:)`` may return an entry if nothing else happens; `nil` if never.
    func wakeTime(_ presence: Presence) -> Timestamp? {
        switch phase {
        case .recruiting: presence.quorumSince(of: self)?.adding(seconds: plan.recruitingSeconds) ?? recruitingDeadline
        case .collecting(let collection): collection.deadline
        default: nil
        }
    }

    /// Returns the entry that is due now without a request: the round opens, closes, is extended or is abandoned.
    func due(_ presence: Presence, at now: Timestamp) -> Entry.Body? {
        switch phase {
        case .recruiting: recruitingIsDue(presence, at: now)
        case .collecting(let collection): collectingIsDue(collection, at: now)
        case .aggregating, .committed, .abandoned: nil
        }
    }

    /// Returns the sites that a round asks if it opens now: the connected ones, and those whose updates it has
    /// inherited.
    func cohort(_ present: Set<SiteID>) -> Set<SiteID> {
        present.intersection(plan.sites).union(inheritance.accepted.keys)
    }

    private func recruitingIsDue(_ presence: Presence, at now: Timestamp) -> Entry.Body? {
        let cohort = cohort(presence.sites)
        guard let since = presence.quorumSince(of: self) else {
            guard let limit = recruitingDeadline, now >= limit else { return nil }
            let waited = "within \(plan.recruitingDeadlineSeconds) s"
            return abandonment(
                "\(cohort.count) of the \(plan.quorum) sites that the quorum needs were connected \(waited)"
            )
        }
        guard cohort.isSuperset(of: plan.sites) || now >= since.adding(seconds: plan.recruitingSeconds) else {
            return nil
        }
        return .roundOpened(
            RoundOpening(
                campaign: plan.campaign,
                key: key,
                cohort: cohort.sorted(),
                model: start.model,
                adapter: start.adapter?.digest,
                serverState: start.serverState,
                deadline: now.adding(seconds: plan.deadlineSeconds)
            )
        )
    }

    private func collectingIsDue(_ collection: Collection, at now: Timestamp) -> Entry.Body? {
        guard collection.isComplete || now >= collection.deadline else { return nil }
        let count = collection.accepted.count
        if count >= plan.quorum { return .roundClosed(key) }
        // Sites were dropped or the quorum was raised, so the quorum can no longer be reached.
        if collection.isComplete {
            return abandonment(
                "all sites that are left have answered, and \(count) updates are fewer than the quorum of \(plan.quorum)"
            )
        }
        let reason = "\(count) of \(plan.quorum) updates by the deadline"
        return extending(collection, reason, at: now) ?? abandonment(reason)
    }

    /// Extends, if the plan allows it, a deadline that passed while the coordinator was down, since no site could meet
    /// it.
    func dueAfterOutage(at now: Timestamp) -> Entry.Body? {
        guard case .collecting(let collection) = phase, now >= collection.deadline, !collection.isComplete else {
            return nil
        }
        return extending(collection, "the coordinator was down at the deadline", at: now)
    }

    private func extending(_ collection: Collection, _ reason: String, at now: Timestamp) -> Entry.Body? {
        guard collection.extensions < plan.extensions.maximum else { return nil }
        return .roundExtended(
            RoundExtension(key: key, deadline: now.adding(seconds: plan.extensions.seconds), reason: reason)
        )
    }

    private func abandonment(_ reason: String, without sites: [SiteID] = []) -> Entry.Body {
        .roundAbandoned(
            RoundAbandonment(key: key, reason: reason.cut(toBytes: UpdateRefusal.detailBytes), without: sites)
        )
    }

    // MARK: The outcome of the computation

    func committed(_ result: GlobalState) -> Entry.Body? {
        aggregation.map {
            .roundCommitted(RoundCommit(key: key, result: result, scaleBits: $0.scaleBits, totalWeight: $0.totalWeight))
        }
    }

    /// Returns the abandonment of a round that cannot be computed; `sites` are those whose updates are lost.
    func failed(_ reason: String, without sites: [SiteID]) -> Entry.Body? {
        isAggregating ? abandonment(reason, without: sites) : nil
    }

    // MARK: Updates

    /// The decision about an update, and what the ledger records about it.
    enum Decision: Equatable {
        case accept(AcceptedUpdate)
        /// `recorded` is what the ledger keeps of it; `nil` if nothing.
        case refuse(UpdateRefusal, recorded: RefusedUpdate?)
        /// Neither accepted nor refused: the site keeps its update and asks again.
        case postpone(String)
    }

    func decide(on submission: Submission, at now: Timestamp) -> Decision {
        let manifest = submission.update.manifest
        switch verdict(on: manifest, from: submission.sender, at: now) {
        case .refused(let refusal): return refuse(submission, refusal)
        case .postponed(let reason): return .postpone(reason)
        case .needsInspection: break
        }
        switch submission.inspection {
        case .unavailable(let reason):
            return .postpone(reason)
        case .unsound(let refusal):
            return refuse(submission, refusal)
        case .sound(let norm) where !norm.isFinite:
            return refuse(submission, UpdateRefusal(.notFinite, "the update's norm is not finite"))
        case .sound(let norm) where norm > plan.bounds.norm:
            return refuse(
                submission,
                UpdateRefusal(.normTooLarge, "the update's norm is \(norm), the plan's bound is \(plan.bounds.norm)")
            )
        case .sound(let norm):
            return .accept(AcceptedUpdate(update: submission.update, weight: weight(of: manifest), norm: norm))
        }
    }

    private func refuse(_ submission: Submission, _ refusal: UpdateRefusal) -> Decision {
        let sender = submission.sender
        // A blob that has not arrived yet is not the site's fault.
        guard case .collecting(let collection) = phase, refusal.reason != .blobMissing,
            collection.refusals[sender, default: 0] < Self.recordedRefusalsPerSite
        else { return .refuse(refusal, recorded: nil) }
        let manifest = submission.update.manifest
        return .refuse(
            refusal,
            recorded: RefusedUpdate(site: sender, key: manifest.key, digest: manifest.update, refusal: refusal)
        )
    }
}
