/// The life of one round as a value: events in, effects out.
///
/// Phases: recruiting → collecting → aggregating → committed, or abandoned on the way. Only ``apply(_:)`` changes the
/// phase, and only for an entry of the ledger: so the state after a restart, and the state that an auditor computes,
/// is the state that the coordinator acted on.
public struct RoundMachine: Equatable, Sendable {
    /// An operator may amend it while the round goes on.
    public internal(set) var plan: Plan
    public let key: RoundKey
    public let start: GlobalState
    /// When the round, or this attempt at it, could first have opened.
    public internal(set) var since: Timestamp
    /// What rounds before this one, and attempts at it, left behind.
    public internal(set) var inheritance: RoundInheritance
    public internal(set) var phase: Phase
    /// Since when enough sites have been present; not in the ledger, because it decides nothing by itself.
    var quorumSince: Timestamp?
    var present: Set<SiteID> = []

    public enum Phase: Equatable, Sendable {
        case recruiting
        case collecting(Collection)
        case aggregating(Collection)
        case committed(RoundCommit)
        case abandoned(RoundAbandonment)
    }

    public enum Event: Equatable, Sendable {
        /// The sites that are connected now.
        case presence(Set<SiteID>)
        case submitted(Submission)
        case aggregated(GlobalState)
        /// The round cannot be computed; `without` names sites whose updates are lost.
        case aggregationFailed(String, without: [SiteID])
        /// The coordinator runs again after an outage.
        case restarted
        case tick
    }

    public enum Effect: Equatable, Sendable {
        /// Durable before any effect that follows it.
        case record(Entry.Body)
        case refuse(SiteID, UpdateRefusal)
        /// Neither yes nor no: the site keeps its update and asks again.
        case postpone(SiteID, reason: String)
        /// The site's update is the entry recorded just before.
        case acknowledge(SiteID)
        case aggregate(AggregationTask)
    }

    /// Refusals of one site that a round records; further ones are answered only, so that nobody can fill the ledger.
    public static let recordedRefusalsPerSite = 8

    public init(plan: Plan, key: RoundKey, start: GlobalState, since: Timestamp, inheritance: RoundInheritance = RoundInheritance()) {
        self.plan = plan
        self.key = key
        self.start = start
        self.since = since
        self.inheritance = inheritance
        self.phase = .recruiting
    }

    /// When `tick` is due next, if ever.
    public var wakeTime: Timestamp? {
        switch phase {
        case .recruiting: quorumSince?.adding(seconds: plan.recruitingSeconds) ?? recruitingDeadline
        case .collecting(let collection): collection.deadline
        default: nil
        }
    }

    /// When the attempt is abandoned if its quorum has not come by then; `nil`: never.
    var recruitingDeadline: Timestamp? {
        plan.recruitingDeadlineSeconds > 0 ? since.adding(seconds: plan.recruitingDeadlineSeconds) : nil
    }

    public mutating func handle(_ event: Event, at now: Timestamp) -> [Effect] {
        switch event {
        case .presence(let sites):
            present = sites.intersection(plan.sites)
            return recruit(at: now)
        case .tick:
            return recruit(at: now) + closeIfDue(at: now)
        case .submitted(let submission):
            return take(submission, at: now)
        case .aggregated(let result):
            return commit(result, at: now)
        case .aggregationFailed(let reason, let sites):
            guard case .aggregating = phase else { return [] }
            return abandon(reason, without: sites, at: now)
        case .restarted:
            return makeUpForOutage(at: now)
        }
    }

    /// What must be done again after a restart.
    public func resume() -> [Effect] {
        guard case .aggregating(let collection) = phase else { return [] }
        return [.aggregate(task(collection))]
    }

    // MARK: Opening and closing

    private mutating func recruit(at now: Timestamp) -> [Effect] {
        guard case .recruiting = phase else { return [] }
        let cohort = present.union(inheritance.accepted.keys)
        guard cohort.count >= plan.quorum else {
            quorumSince = nil
            guard let limit = recruitingDeadline, now >= limit else { return [] }
            let waited = "within \(plan.recruitingDeadlineSeconds) s"
            return abandon("\(cohort.count) of the \(plan.quorum) sites that the quorum needs were connected \(waited)", without: [], at: now)
        }
        let since = quorumSince ?? now
        quorumSince = since
        guard cohort.isSuperset(of: plan.sites) || now >= since.adding(seconds: plan.recruitingSeconds) else { return [] }
        let opening = RoundOpening(
            campaign: plan.campaign, key: key, cohort: cohort.sorted(), model: start.model, adapter: start.adapter?.digest,
            serverState: start.serverState, deadline: now.adding(seconds: plan.deadlineSeconds))
        return [record(.roundOpened(opening), at: now)] + closeIfDue(at: now)
    }

    private mutating func closeIfDue(at now: Timestamp) -> [Effect] {
        guard case .collecting(let collection) = phase else { return [] }
        guard collection.isComplete || now >= collection.deadline else { return [] }
        if collection.accepted.count >= plan.quorum {
            return [record(.roundClosed(key), at: now), .aggregate(task(collection))]
        }
        // Sites were dropped, or the quorum was raised: no update that could still come would be enough.
        if collection.isComplete {
            let (count, needed) = (collection.accepted.count, plan.quorum)
            return abandon("all sites that are left have answered, and \(count) updates are fewer than the quorum of \(needed)", without: [], at: now)
        }
        let reason = "\(collection.accepted.count) of \(plan.quorum) updates by the deadline"
        return extend(collection, reason, at: now) ?? abandon(reason, without: [], at: now)
    }

    /// A deadline that passed while the coordinator was down gave nobody a chance: it moves where the plan allows it.
    private mutating func makeUpForOutage(at now: Timestamp) -> [Effect] {
        guard case .collecting(let collection) = phase, now >= collection.deadline, !collection.isComplete else { return [] }
        return extend(collection, "the coordinator was down at the deadline", at: now) ?? []
    }

    private mutating func extend(_ collection: Collection, _ reason: String, at now: Timestamp) -> [Effect]? {
        guard collection.extensions < plan.extensions.maximum else { return nil }
        let deadline = now.adding(seconds: plan.extensions.seconds)
        return [record(.roundExtended(RoundExtension(key: key, deadline: deadline, reason: reason)), at: now)]
    }

    private mutating func abandon(_ reason: String, without sites: [SiteID], at now: Timestamp) -> [Effect] {
        let reason = reason.cut(toBytes: UpdateRefusal.detailBytes)
        return [record(.roundAbandoned(RoundAbandonment(key: key, reason: reason, without: sites)), at: now)]
    }

    private mutating func commit(_ result: GlobalState, at now: Timestamp) -> [Effect] {
        guard case .aggregating(let collection) = phase else { return [] }
        let task = task(collection)
        let commit = RoundCommit(key: key, result: result, scaleBits: task.scaleBits, totalWeight: task.totalWeight)
        return [record(.roundCommitted(commit), at: now)]
    }

    // MARK: Updates

    private mutating func take(_ submission: Submission, at now: Timestamp) -> [Effect] {
        let sender = submission.sender
        let manifest = submission.update.manifest
        switch verdict(on: manifest, from: sender, at: now) {
        case .refused(let refusal): return refuse(submission, refusal, at: now)
        case .postponed(let reason): return [.postpone(sender, reason: reason)]
        case .worthALook: break
        }
        switch submission.inspection {
        case .unavailable(let reason):
            return [.postpone(sender, reason: reason)]
        case .unsound(let refusal):
            return refuse(submission, refusal, at: now)
        case .sound(let norm) where !norm.isFinite:
            return refuse(submission, UpdateRefusal(.notFinite, "the update's norm is not finite"), at: now)
        case .sound(let norm) where norm > plan.bounds.norm:
            return refuse(
                submission, UpdateRefusal(.normTooLarge, "the update's norm is \(norm), the plan's bound is \(plan.bounds.norm)"), at: now)
        case .sound(let norm):
            let accepted = AcceptedUpdate(update: submission.update, weight: weight(of: manifest), norm: norm)
            return [record(.updateAccepted(accepted), at: now), .acknowledge(sender)] + closeIfDue(at: now)
        }
    }

    private mutating func refuse(_ submission: Submission, _ refusal: UpdateRefusal, at now: Timestamp) -> [Effect] {
        let sender = submission.sender
        // A blob that is not here yet is no fault of anybody's.
        guard case .collecting(let collection) = phase, refusal.reason != .blobMissing,
            collection.refusals[sender, default: 0] < Self.recordedRefusalsPerSite
        else { return [.refuse(sender, refusal)] }
        let manifest = submission.update.manifest
        let entry = RefusedUpdate(site: sender, key: manifest.key, digest: manifest.update, refusal: refusal)
        return [record(.updateRefused(entry), at: now), .refuse(sender, refusal)]
    }

    /// Applies the entry to the state at once: what follows in the same turn sees it.
    private mutating func record(_ body: Entry.Body, at now: Timestamp) -> Effect {
        do {
            try apply(Entry(at: now, body))
        } catch {
            preconditionFailure("the round decided an entry that it refuses: \(error.message)")
        }
        return .record(body)
    }

    /// The work that gives this round's result.
    public func task(_ collection: Collection) -> AggregationTask {
        let contributions = collection.updates.map { accepted in
            AggregationTask.Contribution(
                site: accepted.update.manifest.site, update: accepted.update.manifest.update, weight: accepted.weight)
        }
        let most = max(collection.cohort.count, contributions.count)
        return AggregationTask(
            key: key, start: start, strategy: plan.strategy, training: plan.training, isLastRound: key.round == plan.rounds,
            bound: plan.bounds.norm, scaleBits: plan.scaleBits(cohort: most), productScaleBits: plan.productScaleBits(cohort: most),
            contributions: contributions)
    }
}
