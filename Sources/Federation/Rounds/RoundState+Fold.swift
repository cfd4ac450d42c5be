extension RoundState {
    /// Applies an entry of the ledger.
    ///
    /// - Parameter entry: The entry. The caller has checked that the campaign has not ended and that a pause does not
    ///   forbid it.
    /// - Throws: `LedgerViolation` if the entry may not follow.
    public mutating func apply(_ entry: Entry) throws(LedgerViolation) {
        switch (entry.body, phase) {
        case (.roundOpened(let opening), .recruiting):
            try check(opening, at: entry.at)
            open(opening, at: entry.at)
        case (.updateAccepted(let accepted), .collecting(var collection)):
            try check(accepted, at: entry.at)
            take(accepted, into: &collection)
            phase = .collecting(collection)
        case (.updateRefused(let refused), .collecting(var collection)):
            collection.refusals[refused.site, default: 0] += 1
            phase = .collecting(collection)
        case (.roundExtended(let extended), .collecting(var collection)):
            try check(extended, collection, at: entry.at)
            collection.deadline = extended.deadline
            collection.extensions += 1
            phase = .collecting(collection)
        case (.roundClosed(let closed), .collecting(let collection)):
            try require(closed == key, "closes round \(closed), but round \(key) is open")
            try require(collection.accepted.count >= plan.quorum, "closes round \(key) without a quorum")
            try require(
                collection.isComplete || entry.at >= collection.deadline,
                "closes round \(key) before its deadline without all updates"
            )
            phase = .aggregating(collection)
        case (.roundCommitted(let commit), .aggregating(let collection)):
            try check(commit, against: task(collection))
            phase = .committed(commit)
        case (.roundAbandoned(let abandonment), .collecting(let collection)):
            try require(abandonment.key == key, "abandons round \(abandonment.key), but round \(key) is open")
            try require(abandonment.without.isEmpty, "drops updates of a round that is collecting them")
            try require(collection.accepted.count < plan.quorum, "abandons round \(key), which can still continue")
            try require(
                collection.isComplete || entry.at >= collection.deadline,
                "abandons round \(key), which can still continue"
            )
            try require(
                collection.isComplete || collection.extensions >= plan.extensions.maximum,
                "abandons round \(key), whose deadline can still be extended"
            )
            phase = .abandoned(abandonment)
        case (.roundAbandoned(let abandonment), .recruiting):
            try require(abandonment.key == key, "abandons round \(abandonment.key), but round \(key) is open")
            try require(abandonment.without.isEmpty, "drops updates of a round that has none")
            guard let limit = recruitingDeadline, entry.at >= limit else {
                throw LedgerViolation("abandons round \(key), which may still wait for its quorum")
            }
            phase = .abandoned(abandonment)
        case (.roundAbandoned(let abandonment), .aggregating(let collection)):
            try require(abandonment.key == key, "abandons round \(abandonment.key), but round \(key) is open")
            try require(
                abandonment.without.allSatisfy { collection.accepted[$0] != nil || collection.late[$0] != nil },
                "drops an update that is not in round \(key)"
            )
            phase = .abandoned(abandonment)
        default:
            throw LedgerViolation("is not allowed in the current phase of round \(key)")
        }
    }

    private mutating func open(_ opening: RoundOpening, at time: Timestamp) {
        var collection = Collection(cohort: opening.cohort, openedAt: time, deadline: opening.deadline)
        collection.accepted = inheritance.accepted
        collection.late = inheritance.late
        inheritance.asked.formUnion(opening.cohort)
        phase = .collecting(collection)
    }

    /// Adds an accepted update. The inheritance keeps it too, so that it is not lost if the attempt is abandoned.
    private mutating func take(_ accepted: AcceptedUpdate, into collection: inout Collection) {
        let manifest = accepted.update.manifest
        if manifest.key.round == key.round {
            collection.accepted[manifest.site] = accepted
            inheritance.accepted[manifest.site] = accepted
            return
        }
        collection.late[manifest.site] = accepted
        inheritance.late[manifest.site] = accepted
        if let index = inheritance.formerRounds.firstIndex(where: { $0.round == manifest.key.round }) {
            inheritance.formerRounds[index].missing.remove(manifest.site)
        }
    }

    private func check(_ opening: RoundOpening, at time: Timestamp) throws(LedgerViolation) {
        try require(
            opening.deadline == time.adding(seconds: plan.deadlineSeconds),
            "sets a deadline other than the plan's"
        )
        try require(opening.campaign == plan.campaign && opening.key == key, "opens a round other than \(key)")
        try require(
            opening.cohort == Array(Set(opening.cohort)).sorted(),
            "names a cohort that is not sorted and unique"
        )
        // A dropped site is not asked, but what it sent before counts.
        try require(
            Set(opening.cohort).isSubset(of: Set(plan.sites).union(inheritance.accepted.keys)),
            "asks a site that is not in the plan"
        )
        try require(
            inheritance.accepted.keys.allSatisfy(opening.cohort.contains),
            "leaves out a site whose update was already accepted"
        )
        try require(opening.cohort.count >= plan.quorum, "asks fewer sites than the quorum")
        try require(opening.model == start.model, "starts from a model other than the last commit's")
        try require(opening.adapter == start.adapter?.digest, "starts from an adapter other than the last commit's")
        try require(opening.serverState == start.serverState, "starts from a server state other than the last commit's")
    }

    private func check(_ accepted: AcceptedUpdate, at time: Timestamp) throws(LedgerViolation) {
        let manifest = accepted.update.manifest
        switch verdict(on: manifest, from: manifest.site, at: time) {
        case .needsInspection: break
        case .refused(let refusal): throw LedgerViolation("accepts an update that the plan refuses: \(refusal.detail)")
        case .postponed(let reason): throw LedgerViolation("accepts an update too early: \(reason)")
        }
        try require(accepted.weight == weight(of: manifest), "gives an update a weight other than the plan's")
        try require(
            accepted.norm.isFinite && accepted.norm >= 0 && accepted.norm <= plan.bounds.norm,
            "accepts a norm above the plan's bound"
        )
    }

    private func check(_ extended: RoundExtension, _ collection: Collection, at time: Timestamp) throws(LedgerViolation)
    {
        try require(extended.key == key, "extends round \(extended.key), but round \(key) is open")
        try require(time >= collection.deadline && !collection.isComplete, "extends round \(key) before its deadline")
        try require(
            collection.extensions < plan.extensions.maximum,
            "extends round \(key) more often than the plan allows"
        )
        try require(
            extended.deadline == time.adding(seconds: plan.extensions.seconds),
            "extends round \(key) by a time other than the plan's"
        )
    }

    private func check(_ commit: RoundCommit, against task: AggregationTask) throws(LedgerViolation) {
        try require(commit.key == key, "commits round \(commit.key), but round \(key) is open")
        try require(commit.scaleBits == task.scaleBits, "was summed with a scale other than the plan's")
        try require(commit.totalWeight == task.totalWeight, "was summed with a weight other than that of its updates")
        try require(
            (commit.result.serverState != nil) == plan.strategy.hasServerState,
            "lacks the strategy's state or has an unexpected one"
        )
        try require((commit.result.adapter != nil) == task.makesAdapter, "lacks an adapter or has an unexpected one")
        try require(
            task.makesModel || commit.result.model == start.model,
            "changes the model although the plan keeps it unchanged"
        )
    }
}

func require(_ holds: Bool, _ message: @autoclosure () -> String) throws(LedgerViolation) {
    if !holds { throw LedgerViolation(message()) }
}

/// An entry that is not allowed at its position. The message is a predicate whose subject is the entry or the request.
public struct LedgerViolation: Error, Equatable, Sendable {
    public let message: String
    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameter message: A predicate whose subject is the entry or the request, for example `is older than the entry
    ///   before it`.
    public init(_ message: String) { self.message = message }
}
