import Federation
import Wire

/// Decides where nothing prevents it, and collects in the turn what follows from a decision.
extension CoordinatorDriver {
    /// Makes the decisions that are overdue, given the sites that are connected now.
    mutating func resumeIfPossible(at now: Timestamp) {
        guard mustResume, startupWait == nil, obstacle(at: now) == nil else { return }
        mustResume = false
        take(machine.resume(present: presentSites, at: now))
    }

    /// For decisions that no request waits for. If nothing can be decided now, a later resumption makes up for it.
    mutating func decide(at now: Timestamp, _ decision: (inout CoordinatorMachine) -> [CoordinatorMachine.Effect]) {
        guard startupWait == nil else { return }
        guard obstacle(at: now) == nil else { return mustResume = true }
        take(decision(&machine))
    }

    /// Collects the machine's effects; answers go to `request`.
    mutating func take(_ effects: [CoordinatorMachine.Effect], answering request: RequestID? = nil) {
        for effect in effects {
            switch effect {
            case .record(let entry):
                turn.entries.append(entry)
                recorded(entry)
            case .answer(let site, let answer): if let request { answered(request, site, answer) }
            case .aggregate(let task): compute(task)
            case .remove(let digests): turn.held.append(.remove(digests))
            case .announce: turn.announces = true
            case .assign(let site): turn.assigned.insert(site)
            case .fault(let violation): observeNow(.fault(violation.message))
            }
        }
    }

    /// Makes the decision that a request asks for; throws the refusal.
    mutating func request(
        at now: Timestamp,
        isClockCorrection: Bool = false,
        answering id: RequestID? = nil,
        despiteObstacle isUrgent: Bool = false,
        _ decision: (inout CoordinatorMachine) throws(LedgerViolation) -> [CoordinatorMachine.Effect]
    ) throws {
        if !isUrgent, let obstacle = obstacle(at: now, isClockCorrection: isClockCorrection) {
            mustResume = true
            throw obstacle
        }
        take(try decision(&machine), answering: id)
    }

    mutating func reply(_ request: RequestID, _ answer: CoordinatorAnswer) { turn.held.append(.reply(request, answer)) }
    /// Reports what this turn's entries say, once they are on the disk.
    mutating func observeWhenDurable(_ observation: CoordinatorObservation) {
        turn.held.append(.report(observation))
    }

    /// Reports at once what has happened, whether or not this turn's entries are written.
    mutating func observeNow(_ observation: CoordinatorObservation) { turn.prompt.append(.report(observation)) }

    // MARK: Assignments

    /// Tells a connected site what to do now.
    mutating func assign(_ site: SiteID, at now: Timestamp) {
        guard let link = sites[site]?.link, unreadable == nil else { return }
        if let obstacle = obstacle(at: now) {
            return turn.held.append(.assign(link, .rest(reason: obstacle.message), provedBy: nil))
        }
        guard startupWait == nil else { return }
        let assignment = machine.assignment(for: site)
        // A site that has already sent its update for the round is asked again only together with the entry that proves
        // its loss.
        let proof: UInt64? = if case .train = assignment { machine.state.campaign?.lostUpdates[site] } else { nil }
        turn.held.append(.assign(link, assignment, provedBy: proof))
    }
}
