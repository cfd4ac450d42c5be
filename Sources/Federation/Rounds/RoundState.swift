/// The state of one round, as the fold of its entries.
///
/// Phases: recruiting → collecting → aggregating → committed, or abandoned on the way. Only ``apply(_:)`` changes the
/// phase, and only for a ledger entry. The state after a restart, and the state that an auditor computes, are therefore
/// the state that the coordinator acts on.
public struct RoundState: Equatable, Sendable {
    /// An operator may amend it while the round is running.
    public internal(set) var plan: Plan
    public let key: RoundKey
    public let start: GlobalState
    /// The earliest time at which this attempt at the round could have opened.
    public internal(set) var since: Timestamp
    /// What earlier rounds, and earlier attempts at this one, left behind.
    public internal(set) var inheritance: CarriedOverUpdates
    public internal(set) var phase: Phase

    public enum Phase: Equatable, Sendable {
        case recruiting
        case collecting(Collection)
        case aggregating(Collection)
        case committed(RoundCommit)
        case abandoned(RoundAbandonment)
    }

    public init(
        plan: Plan,
        key: RoundKey,
        start: GlobalState,
        since: Timestamp,
        inheritance: CarriedOverUpdates = CarriedOverUpdates()
    ) {
        self.plan = plan
        self.key = key
        self.start = start
        self.since = since
        self.inheritance = inheritance
        self.phase = .recruiting
    }

    /// When the attempt is abandoned if it has no quorum by then; `nil` if never.
    var recruitingDeadline: Timestamp? {
        plan.recruitingDeadlineSeconds > 0 ? since.adding(seconds: plan.recruitingDeadlineSeconds) : nil
    }

    /// The computation of this round's result; `nil` while there is none.
    public var aggregation: AggregationTask? {
        if case .aggregating(let collection) = phase { task(collection) } else { nil }
    }

    /// The computation of the result of a round with these updates.
    public func task(_ collection: Collection) -> AggregationTask {
        let contributions = collection.updates.map { accepted in
            AggregationTask.Contribution(
                site: accepted.update.manifest.site,
                update: accepted.update.manifest.update,
                weight: accepted.weight
            )
        }
        let most = max(collection.cohort.count, contributions.count)
        return AggregationTask(
            key: key,
            start: start,
            strategy: plan.strategy,
            training: plan.training,
            compression: plan.compression,
            isLastRound: key.round == plan.rounds,
            bound: plan.bounds.norm,
            scaleBits: plan.scaleBits(cohort: most),
            productScaleBits: plan.productScaleBits(cohort: most),
            contributions: contributions
        )
    }
}
