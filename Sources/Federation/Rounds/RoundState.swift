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

    /// Creates an attempt at a round that has not opened yet.
    ///
    /// - Parameters:
    ///   - plan: The campaign's plan with its amendments.
    ///   - key: The round and the attempt at it.
    ///   - start: The state that the round starts from.
    ///   - since: The earliest time at which the attempt could open.
    ///   - inheritance: What earlier rounds and attempts left behind.
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
    ///
    /// - Parameter collection: The cohort and the updates that count, of which late ones may be a part.
    /// - Returns: The task. Its scales allow for a sum over the whole cohort or over all updates, whichever are more.
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
