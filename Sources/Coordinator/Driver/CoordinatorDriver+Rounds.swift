import Federation

/// What follows from a round's decisions: its computation, and the clean-up at its end.
extension CoordinatorDriver {
    /// Blobs that no sweep may remove.
    package var neededBlobs: Set<Digest> { machine.state.neededBlobs.union(published) }

    mutating func recorded(_ entry: Entry) {
        observeWhenDurable(.recorded(entry))
        switch entry.body {
        case .roundCommitted: turn.held.append(.sweep(wasAbandoned: false))
        case .roundAbandoned: turn.held.append(.sweep(wasAbandoned: true))
        default: break
        }
    }

    /// Starts a computation unless the same one is running. The outcome of a superseded task is ignored.
    mutating func compute(_ task: AggregationTask) {
        guard aggregating != task else { return }
        aggregating = task
        turn.held.append(.compute(task))
    }

    /// A full disk or a damaged model must not cost the round, so the computation is retried until the cause is fixed.
    mutating func computed(_ task: AggregationTask, _ outcome: RoundAggregation.Outcome, at now: Timestamp) {
        guard aggregating == task else { return }
        switch outcome {
        case .done(let result):
            aggregating = nil
            decide(at: now) { $0.handle(.aggregated(task.key, result), at: now) }
        case .lost(let reason, let sites):
            aggregating = nil
            // Discard the site's own copy too: it may be the same damaged file, and would be taken for the lost one.
            for lost in task.contributions where sites.contains(lost.site) {
                turn.held.append(.discard(lost.update, of: lost.site))
            }
            observeNow(.updatesLost(task.key, reason: reason))
            decide(at: now) { $0.handle(.aggregationFailed(task.key, reason, without: sites), at: now) }
        case .blocked(let reason):
            observeNow(.computationBlocked(task.key, reason: reason))
            turn.prompt.append(.wake(.computation, afterMilliseconds: Self.retryMilliseconds))
        }
    }
}
