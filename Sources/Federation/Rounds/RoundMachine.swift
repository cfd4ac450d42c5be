/// The life of one round as a value: events in, effects out.
///
/// Phases: recruiting → collecting → aggregating → committed, or abandoned on the way. Only ``apply(_:)`` changes the
/// phase, and only for an entry of the ledger: so the state after a restart, and the state that an auditor computes,
/// is the state that the coordinator acted on.
public struct RoundMachine: Equatable, Sendable {
    public let plan: Plan
    public let key: RoundKey
    public let start: GlobalState
    public private(set) var phase: Phase
    /// Since when enough sites have been present; not in the ledger, because it decides nothing by itself.
    private var quorumSince: Timestamp?
    private var present: Set<SiteID> = []

    public enum Phase: Equatable, Sendable {
        case recruiting
        case collecting(Collection)
        case aggregating(Collection)
        case committed(RoundCommit)
        case abandoned(reason: String)
    }

    /// A round's cohort and what it has sent so far.
    public struct Collection: Equatable, Sendable {
        public let cohort: [SiteID]
        public let deadline: Timestamp
        public internal(set) var accepted: [SiteID: AcceptedUpdate] = [:]
        public internal(set) var refusals: [SiteID: Int] = [:]

        public var isComplete: Bool { accepted.count == cohort.count }
    }

    public enum Event: Equatable, Sendable {
        /// The sites that are connected now.
        case presence(Set<SiteID>)
        case submitted(Submission)
        case aggregated(GlobalState)
        case aggregationFailed(String)
        case tick
    }

    public enum Effect: Equatable, Sendable {
        /// Durable before any effect that follows it.
        case record(Entry.Body)
        case refuse(SiteID, UpdateRefusal)
        /// The site's update is the entry recorded just before.
        case acknowledge(SiteID)
        case aggregate(AggregationTask)
    }

    /// Refusals of one site that a round records; further ones are answered only, so that nobody can fill the ledger.
    public static let recordedRefusalsPerSite = 8

    public init(plan: Plan, key: RoundKey, start: GlobalState) {
        self.plan = plan
        self.key = key
        self.start = start
        self.phase = .recruiting
    }

    /// When `tick` is due next, if ever.
    public var wakeTime: Timestamp? {
        switch phase {
        case .recruiting: quorumSince?.adding(seconds: plan.recruitingSeconds)
        case .collecting(let collection): collection.deadline
        default: nil
        }
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
        case .aggregationFailed(let reason):
            guard case .aggregating = phase else { return [] }
            return [record(.roundAbandoned(key, reason: reason.cut(toBytes: UpdateRefusal.detailBytes)), at: now)]
        }
    }

    /// What must be done again after a restart.
    public func resume() -> [Effect] {
        guard case .aggregating(let collection) = phase else { return [] }
        return [.aggregate(task(collection))]
    }

    /// Why an update could not be accepted now, as far as its manifest tells; `nil` where its tensors are worth a look.
    public func refusal(of manifest: UpdateManifest, from sender: SiteID, at now: Timestamp) -> UpdateRefusal? {
        guard manifest.site == sender else {
            return UpdateRefusal(.wrongSite, "the manifest names \(manifest.site), the certificate \(sender)")
        }
        guard manifest.campaign == plan.campaign, manifest.key == key else {
            return UpdateRefusal(.wrongRound, "the update is for round \(manifest.key) of \(manifest.campaign); round \(key) of \(plan.campaign) is open")
        }
        guard case .collecting(let collection) = phase, now <= collection.deadline else {
            return UpdateRefusal(.late, "round \(key) takes no more updates")
        }
        guard collection.cohort.contains(sender) else {
            return UpdateRefusal(.notInCohort, "\(sender) was not asked in round \(key)")
        }
        guard collection.accepted[sender] == nil else {
            return UpdateRefusal(.duplicate, "another update of \(sender) is in round \(key) already")
        }
        guard manifest.model == start.model else {
            return UpdateRefusal(.wrongBase, "the update was trained from \(manifest.model.short), round \(key) starts from \(start.model.short)")
        }
        guard manifest.layout == plan.model?.layout else {
            return UpdateRefusal(.wrongLayout, "the update's tensors are not those of \(plan.base)")
        }
        guard manifest.samples > 0 else {
            return UpdateRefusal(.noSamples, "the update claims no samples")
        }
        return nil
    }

    // MARK: Decisions

    private mutating func recruit(at now: Timestamp) -> [Effect] {
        guard case .recruiting = phase else { return [] }
        guard present.count >= plan.quorum else {
            quorumSince = nil
            return []
        }
        let since = quorumSince ?? now
        quorumSince = since
        guard present.count == plan.sites.count || now >= since.adding(seconds: plan.recruitingSeconds) else { return [] }
        let opening = RoundOpening(
            campaign: plan.campaign, key: key, cohort: present.sorted(), model: start.model,
            serverState: start.serverState, deadline: now.adding(seconds: plan.deadlineSeconds))
        return [record(.roundOpened(opening), at: now)]
    }

    private mutating func closeIfDue(at now: Timestamp) -> [Effect] {
        guard case .collecting(let collection) = phase else { return [] }
        guard collection.isComplete || now >= collection.deadline else { return [] }
        guard collection.accepted.count >= plan.quorum else {
            let reason = "\(collection.accepted.count) of \(plan.quorum) updates by the deadline"
            return [record(.roundAbandoned(key, reason: reason), at: now)]
        }
        return [record(.roundClosed(key), at: now), .aggregate(task(collection))]
    }

    private mutating func take(_ submission: Submission, at now: Timestamp) -> [Effect] {
        let sender = submission.sender
        if let refusal = refusal(of: submission.update.manifest, from: sender, at: now) {
            return refuse(submission, refusal, at: now)
        }
        switch submission.inspection {
        case .unsound(let refusal):
            return refuse(submission, refusal, at: now)
        case .sound(let norm) where !norm.isFinite:
            return refuse(submission, UpdateRefusal(.notFinite, "the update's norm is not finite"), at: now)
        case .sound(let norm) where norm > plan.bounds.norm:
            return refuse(
                submission, UpdateRefusal(.normTooLarge, "the update's norm is \(norm), the plan's bound is \(plan.bounds.norm)"), at: now)
        case .sound(let norm):
            let weight = min(submission.update.manifest.samples, plan.bounds.weight)
            let accepted = AcceptedUpdate(update: submission.update, weight: weight, norm: norm)
            return [record(.updateAccepted(accepted), at: now), .acknowledge(sender)] + closeIfDue(at: now)
        }
    }

    private mutating func refuse(_ submission: Submission, _ refusal: UpdateRefusal, at now: Timestamp) -> [Effect] {
        let sender = submission.sender
        guard case .collecting(let collection) = phase,
            collection.refusals[sender, default: 0] < Self.recordedRefusalsPerSite
        else { return [.refuse(sender, refusal)] }
        let manifest = submission.update.manifest
        let entry = RefusedUpdate(site: sender, key: manifest.key, digest: manifest.update, refusal: refusal)
        return [record(.updateRefused(entry), at: now), .refuse(sender, refusal)]
    }

    private mutating func commit(_ result: GlobalState, at now: Timestamp) -> [Effect] {
        guard case .aggregating(let collection) = phase else { return [] }
        let task = task(collection)
        let commit = RoundCommit(key: key, result: result, scaleBits: task.scaleBits, totalWeight: task.totalWeight)
        return [record(.roundCommitted(commit), at: now)]
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
        let contributions = collection.accepted.sorted { $0.key < $1.key }.map { site, accepted in
            AggregationTask.Contribution(
                site: site, update: accepted.update.manifest.update, weight: accepted.weight)
        }
        return AggregationTask(
            key: key, start: start, strategy: plan.strategy, bound: plan.bounds.norm,
            scaleBits: plan.scaleBits(cohort: collection.cohort.count), contributions: contributions)
    }
}

// MARK: The fold

extension RoundMachine {
    /// Applies an entry of the ledger, or says why it may not follow.
    public mutating func apply(_ entry: Entry) throws(LedgerViolation) {
        switch (entry.body, phase) {
        case (.roundOpened(let opening), .recruiting):
            try check(opening, at: entry.at)
            phase = .collecting(Collection(cohort: opening.cohort, deadline: opening.deadline))
        case (.updateAccepted(let accepted), .collecting(var collection)):
            try check(accepted, at: entry.at)
            collection.accepted[accepted.update.manifest.site] = accepted
            phase = .collecting(collection)
        case (.updateRefused(let refused), .collecting(var collection)):
            collection.refusals[refused.site, default: 0] += 1
            phase = .collecting(collection)
        case (.roundClosed(let closed), .collecting(let collection)):
            try require(closed == key, "closes round \(closed), but round \(key) is open")
            try require(collection.accepted.count >= plan.quorum, "closes round \(key) without a quorum")
            try require(collection.isComplete || entry.at >= collection.deadline, "closes round \(key) before its deadline without all updates")
            phase = .aggregating(collection)
        case (.roundCommitted(let commit), .aggregating(let collection)):
            try check(commit, against: task(collection))
            phase = .committed(commit)
        case (.roundAbandoned(let abandoned, let reason), .collecting(let collection)):
            try require(abandoned == key, "abandons round \(abandoned), but round \(key) is open")
            try require(entry.at >= collection.deadline && collection.accepted.count < plan.quorum, "abandons round \(key), which could go on")
            phase = .abandoned(reason: reason)
        case (.roundAbandoned(let abandoned, let reason), .aggregating):
            try require(abandoned == key, "abandons round \(abandoned), but round \(key) is open")
            phase = .abandoned(reason: reason)
        default:
            throw LedgerViolation("does not follow in the phase that round \(key) is in")
        }
    }

    private func check(_ opening: RoundOpening, at time: Timestamp) throws(LedgerViolation) {
        try require(opening.deadline == time.adding(seconds: plan.deadlineSeconds), "sets another deadline than the plan's")
        try require(opening.campaign == plan.campaign && opening.key == key, "opens another round than \(key)")
        try require(opening.cohort == Array(Set(opening.cohort)).sorted(), "names a cohort that is not sorted and unique")
        try require(Set(opening.cohort).isSubset(of: plan.sites), "asks a site that is not in the plan")
        try require(opening.cohort.count >= plan.quorum, "asks fewer sites than the quorum")
        try require(opening.model == start.model, "starts from another model than the last commit")
        try require(opening.serverState == start.serverState, "starts from another server state than the last commit")
    }

    private func check(_ accepted: AcceptedUpdate, at time: Timestamp) throws(LedgerViolation) {
        let manifest = accepted.update.manifest
        if let refusal = refusal(of: manifest, from: manifest.site, at: time) {
            throw LedgerViolation("accepts an update that the plan refuses: \(refusal.detail)")
        }
        try require(accepted.weight == min(manifest.samples, plan.bounds.weight), "gives an update another weight than the plan does")
        try require(accepted.norm.isFinite && accepted.norm >= 0 && accepted.norm <= plan.bounds.norm, "accepts a norm over the plan's bound")
    }

    private func check(_ commit: RoundCommit, against task: AggregationTask) throws(LedgerViolation) {
        try require(commit.key == key, "commits round \(commit.key), but round \(key) is open")
        try require(commit.scaleBits == task.scaleBits, "was summed at another scale than the plan's")
        try require(commit.totalWeight == task.totalWeight, "was summed with another weight than that of its updates")
        try require((commit.result.serverState != nil) == plan.strategy.hasServerState, "lacks or invents the strategy's state")
    }
}

func require(_ holds: Bool, _ message: @autoclosure () -> String) throws(LedgerViolation) {
    if !holds { throw LedgerViolation(message()) }
}

/// An entry that may not stand where it stands.
public struct LedgerViolation: Error, Equatable, Sendable {
    public let message: String
    public init(_ message: String) { self.message = message }
}
