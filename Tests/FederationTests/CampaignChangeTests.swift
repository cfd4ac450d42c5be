import Federation
import Testing

/// Operators' changes to a running campaign: stop, pause, resume, amend.
@Suite struct CampaignChangeTests {
    let start = Samples.start
    let sites = Samples.sites

    func change(
        _ action: CampaignChange.Action,
        campaign: CampaignID = Samples.campaign,
        reason: String = "a factory is closed"
    ) -> CampaignChange {
        CampaignChange(campaign: campaign, action: action, reason: reason, changedBy: "operator/o")
    }

    func opened(_ plan: Plan = Samples.plan(), present: [Int] = [0, 1, 2]) throws -> CoordinatorMachine {
        var (machine, _) = try Samples.machine(plan)
        for site in present { _ = machine.handle(.arrived(sites[site]), at: start) }
        return machine
    }

    func submit(_ machine: inout CoordinatorMachine, _ site: Int, at time: Timestamp) -> [CoordinatorMachine.Effect] {
        let update = Samples.update(of: sites[site], content: UInt8(60 + site))
        return machine.handle(.submitted(Samples.submission(update)), at: time)
    }

    func collection(_ machine: CoordinatorMachine) throws -> RoundState.Collection {
        guard case .collecting(let collection)? = machine.state.campaign?.round.phase else { throw TestFailure() }
        return collection
    }

    /// The fold of the effects' entries must equal the machine's state.
    func expectFolds(_ entries: [Entry], to machine: CoordinatorMachine) throws {
        var state = ConsortiumState()
        for entry in entries { try state.apply(entry) }
        #expect(state.entryCount == machine.state.entryCount)
        #expect(state.campaign?.plan == machine.state.campaign?.plan)
        #expect(state.campaign?.end == machine.state.campaign?.end)
        #expect(state.campaign?.pause == machine.state.campaign?.pause)
        #expect(state == machine.state)
    }

    @Test func aStoppedCampaignEndsWithItsReasonAndAnotherCanBeOpened() throws {
        var (machine, entries) = try Samples.machine(Samples.plan())
        let effects = try machine.change(change(.stop), at: start + 10)
        entries += effects.entries
        guard case .campaignEnded(let end)? = effects.entries.last?.body else { throw TestFailure() }
        #expect(!end.completed)
        #expect(end.reason == "stopped by operator/o: a factory is closed")
        #expect(end.model == Samples.base.digest)
        try expectFolds(entries, to: machine)
        var next = Samples.plan()
        next.campaign = CampaignID("C2")!
        #expect(try machine.open(next, by: "operator/o", at: start + 20).entries.count == 1)
    }

    @Test func aChangeNeedsAReasonAndTheRightCampaign() throws {
        var machine = try opened()
        #expect(throws: LedgerViolation.self) { try machine.change(change(.stop, reason: ""), at: start) }
        #expect(throws: LedgerViolation.self) {
            try machine.change(change(.stop, campaign: CampaignID("C9")!), at: start)
        }
        #expect(throws: LedgerViolation.self) { try machine.change(change(.resume), at: start) }
        #expect(machine.state.campaign?.lastChange == nil)
    }

    @Test func aPausedCampaignTakesNothingAndItsDeadlineMovesByThePause() throws {
        var machine = try opened()
        let deadline = try collection(machine).deadline
        _ = try machine.change(change(.pause), at: start + 40)
        guard case .rest(let reason) = machine.assignment(for: sites[0]) else { throw TestFailure() }
        #expect(reason == "the campaign is paused by operator/o: a factory is closed")
        #expect(machine.wakeTime == nil)
        guard case .postponed? = submit(&machine, 0, at: start + 50).answers.first else { throw TestFailure() }
        guard
            case .postponed? = machine.preliminaryAnswer(
                to: Samples.update(of: sites[0]).manifest,
                from: sites[0],
                at: start + 50
            )
        else { throw TestFailure() }
        // Long after the deadline nothing has been decided.
        #expect(machine.handle(.tick, at: start + 5000) == [])
        _ = try machine.change(change(.resume), at: start + 5040)
        #expect(try collection(machine).deadline == deadline.adding(seconds: 5000))
        guard case .train = machine.assignment(for: sites[0]) else { throw TestFailure() }
        guard case .accepted? = submit(&machine, 0, at: start + 5050).answers.first else { throw TestFailure() }
    }

    @Test func aRoundThatIsBeingComputedIsCommittedInAPauseAndTheNextWaits() throws {
        var machine = try opened()
        for site in 0..<3 { _ = submit(&machine, site, at: start) }
        _ = try machine.change(change(.pause), at: start + 1)
        let result = GlobalState(model: Samples.digest(7), modelByteCount: 1000, serverState: Samples.digest(8))
        let effects = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result), at: start + 2)
        #expect(effects.entries.count == 1)
        #expect(machine.state.campaign?.committedRounds == 1)
        #expect(try machine.change(change(.resume), at: start + 3).entries.count == 2)
        #expect(machine.state.campaign?.round.key == RoundKey(round: 2, attempt: 1))
    }

    @Test func aRestartedCoordinatorStaysPaused() throws {
        var machine = try opened()
        _ = try machine.change(change(.pause), at: start + 40)
        var restarted = CoordinatorMachine(state: machine.state)
        #expect(restarted.resume(present: [], at: start + 9000).entries.isEmpty)
        #expect(restarted.handle(.arrived(sites[0]), at: start + 9000).entries.isEmpty)
    }

    @Test func aDroppedSiteIsWaitedForNoMoreAndWhatItHadSentCounts() throws {
        var machine = try opened()
        for site in [0, 2] { _ = submit(&machine, site, at: start) }
        let effects = try machine.change(
            change(.amend(PlanAmendment(droppedSites: [sites[1], sites[2]], quorum: 1))),
            at: start + 5
        )
        // The round waits for no other site, so it closes with both updates.
        #expect(effects.tasks.first?.contributions.map(\.site) == [sites[0], sites[2]])
        guard case .rest = machine.assignment(for: sites[1]) else { throw TestFailure() }
        guard case .refused? = submit(&machine, 1, at: start + 6).answers.first else { throw TestFailure() }
    }

    @Test func anAddedSiteJoinsAtTheNextRound() throws {
        let newcomer = SiteID("d/four")!
        var machine = try opened()
        _ = machine.handle(.arrived(newcomer), at: start)
        _ = try machine.change(change(.amend(PlanAmendment(addedSites: [newcomer]))), at: start + 1)
        #expect(machine.assignment(for: newcomer) == .rest(reason: "joins at the next round"))
        for site in 0..<3 { _ = submit(&machine, site, at: start + 2) }
        let result = GlobalState(model: Samples.digest(7), modelByteCount: 1000, serverState: Samples.digest(8))
        _ = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result), at: start + 3)
        #expect(try collection(machine).cohort.contains(newcomer))
    }

    @Test func aQuorumThatCannotBeReachedAnyMoreEndsTheAttemptAtOnce() throws {
        var machine = try opened()
        _ = submit(&machine, 0, at: start)
        _ = try machine.change(change(.amend(PlanAmendment(droppedSites: [sites[1]]))), at: start + 1)
        _ = submit(&machine, 2, at: start + 2)
        // Two updates are the quorum.
        guard case .aggregating? = machine.state.campaign?.round.phase else { throw TestFailure() }
        var other = try opened(Samples.plan(quorum: 3))
        _ = submit(&other, 0, at: start)
        _ = submit(&other, 1, at: start)
        #expect(throws: LedgerViolation.self) {
            try other.change(change(.amend(PlanAmendment(droppedSites: [sites[2]]))), at: start)
        }
        _ = try other.change(change(.amend(PlanAmendment(droppedSites: [sites[2]], quorum: 2))), at: start + 1)
        guard case .aggregating? = other.state.campaign?.round.phase else { throw TestFailure() }
    }

    @Test func anAmendedDeadlineHoldsForTheOpenRound() throws {
        var machine = try opened()
        _ = try machine.change(change(.amend(PlanAmendment(deadlineSeconds: 900))), at: start + 1)
        #expect(try collection(machine).deadline == start + 900)
        #expect(machine.handle(.tick, at: start + 100) == [])
    }

    @Test func anAmendmentThatChangesNothingOrMakesThePlanUnsoundIsRefused() throws {
        var machine = try opened()
        for amendment in [
            PlanAmendment(), PlanAmendment(quorum: 4), PlanAmendment(addedSites: [sites[0]]),
            PlanAmendment(droppedSites: [SiteID("x/y")!]),
            PlanAmendment(deadlineSeconds: 0),
        ] {
            #expect(throws: LedgerViolation.self) { try machine.change(change(.amend(amendment)), at: start) }
        }
    }

    @Test func theSameRequestAgainIsTheSameEntry() throws {
        var (machine, _) = try Samples.machine(Samples.plan())
        var draft = Samples.plan()
        draft.model = nil
        #expect(machine.opening(of: draft) == 2)
        draft.rounds = 3
        #expect(machine.opening(of: draft) == nil)
        _ = try machine.change(change(.pause), at: start)
        #expect(machine.record(of: change(.pause)) == 3)
        #expect(machine.record(of: change(.pause, reason: "another")) == nil)
    }

    @Test func anAttemptThatFindsNoQuorumIsAbandonedAtTheRecruitingDeadline() throws {
        var plan = Samples.plan(attempts: 2)
        plan.recruitingDeadlineSeconds = 1000
        var machine = try opened(plan, present: [0])
        #expect(machine.wakeTime == start + 1000)
        #expect(machine.handle(.tick, at: start + 999) == [])
        guard case .roundAbandoned(let abandonment)? = machine.handle(.tick, at: start + 1000).entries.first?.body
        else { throw TestFailure() }
        #expect(abandonment.reason == "1 of the 2 sites that the quorum needs were connected within 1000 s")
        #expect(machine.state.campaign?.round.key == RoundKey(round: 1, attempt: 2))
        #expect(machine.wakeTime == start + 2000)
        // The plan's attempts are used up: the campaign ends although the missing site never connects.
        let effects = machine.handle(.tick, at: start + 2000)
        guard case .campaignEnded(let end)? = effects.entries.last?.body else { throw TestFailure() }
        #expect(!end.completed)
    }

    @Test func withoutARecruitingDeadlineNoEntryMayAbandonARoundThatWaits() throws {
        let machine = try opened(present: [0])
        var state = machine.state
        let abandonment = RoundAbandonment(key: RoundKey(round: 1, attempt: 1), reason: "why")
        #expect(throws: LedgerViolation.self) {
            try state.apply(Entry(at: start + 100_000, .roundAbandoned(abandonment)))
        }
    }

    @Test func aStoppedCampaignsRoundCanBeReleasedAndOthersCannot() throws {
        var machine = try opened()
        for site in 0..<3 { _ = submit(&machine, site, at: start) }
        let result = GlobalState(model: Samples.digest(7), modelByteCount: 1000, serverState: Samples.digest(8))
        _ = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result), at: start + 1)
        func cutting(_ model: Digest, round: Int?) -> ReleaseCutting {
            ReleaseCutting(
                name: ModelName("FY2027")!,
                campaign: Samples.campaign,
                model: ModelReference(digest: model, layout: Samples.base.layout, byteCount: 1000),
                cutBy: "operator/o",
                round: round
            )
        }
        #expect(throws: LedgerViolation.self) { try machine.cut(cutting(Samples.digest(7), round: 1), at: start + 2) }
        _ = try machine.change(change(.stop), at: start + 2)
        for wrong in [
            cutting(Samples.digest(7), round: nil), cutting(Samples.digest(7), round: 2),
            cutting(Samples.digest(6), round: 1),
        ] {
            #expect(throws: LedgerViolation.self) { try machine.cut(wrong, at: start + 3) }
        }
        #expect(try machine.cut(cutting(Samples.digest(7), round: 1), at: start + 3).entries.count == 1)
        #expect(machine.state.models[ModelName("FY2027")!]?.digest == Samples.digest(7))
    }

    @Test func aCorrectedClockMovesDeadlinesBackAndNothingElseMay() throws {
        var machine = try opened()
        // The clock was a day ahead when the round opened.
        let correction = ClockCorrection(reason: "the clock was ahead", correctedBy: "operator/o")
        #expect(throws: LedgerViolation.self) { try machine.correctClock(correction, at: start) }
        let before = Timestamp(milliseconds: start.milliseconds - 500_000)
        #expect(try machine.correctClock(correction, at: before).entries.count == 1)
        #expect(try collection(machine).deadline == before.adding(seconds: 100))
        #expect(machine.state.time == before)
        #expect(machine.handle(.tick, at: before.adding(seconds: 100)).entries.isEmpty == false)
    }

    @Test func whoIsAwaitedAndThePauseStandInTheReport() throws {
        var machine = try opened(present: [0, 1, 2])
        _ = submit(&machine, 1, at: start)
        #expect(machine.state.campaign?.report(present: Set(sites)).awaited == [sites[0], sites[2]])
        let waiting = try opened(present: [0])
        #expect(waiting.state.campaign?.report(present: [sites[0]]).awaited == [sites[1], sites[2]])
        _ = try machine.change(change(.pause), at: start)
        let report = machine.state.campaign?.report(present: Set(sites))
        #expect(report?.phase == "paused")
        #expect(report?.reason == "paused by operator/o: a factory is closed")
    }
}
