import Federation

/// What follows from the round's decisions: its computation, and what is removed at its end.
extension CoordinatorDriver {
    /// Blobs that no sweep may take.
    package var neededBlobs: Set<Digest> { machine.state.neededBlobs.union(published) }

    mutating func recorded(_ entry: Entry) {
        report(.recorded(entry))
        switch entry.body {
        case .roundCommitted: turn.held.append(.sweep(wasAbandoned: false))
        case .roundAbandoned: turn.held.append(.sweep(wasAbandoned: true))
        default: break
        }
    }

    /// Nothing is computed twice at a time, and what another task has taken the place of is not heard of any more.
    mutating func compute(_ task: AggregationTask) {
        guard aggregating != task else { return }
        aggregating = task
        turn.held.append(.compute(task))
    }

    /// A full disk or a damaged model must not cost the round: it waits until somebody has fixed it.
    mutating func computed(_ task: AggregationTask, _ outcome: RoundAggregation.Outcome, at now: Timestamp) {
        guard aggregating == task else { return }
        switch outcome {
        case .done(let result):
            aggregating = nil
            decide(at: now) { $0.handle(.aggregated(task.key, result), at: now) }
        case .lost(let reason, let sites):
            aggregating = nil
            // A copy that was left would answer for the one that is lost, and may be the same file.
            for lost in task.contributions where sites.contains(lost.site) {
                turn.held.append(.discard(lost.update, of: lost.site))
            }
            note(.updatesLost(task.key, reason: reason))
            decide(at: now) { $0.handle(.aggregationFailed(task.key, reason, without: sites), at: now) }
        case .blocked(let reason):
            note(.computationBlocked(task.key, reason: reason))
            turn.prompt.append(.wake(.computation, afterMilliseconds: Self.retryMilliseconds))
        }
    }
}
