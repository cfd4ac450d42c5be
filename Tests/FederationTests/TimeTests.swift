import Federation
import Testing

/// Deadlines, extensions, late updates and clocks.
@Suite struct TimeTests {
    let start = Samples.start
    let sites = Samples.sites

    func opened(_ plan: Plan) throws -> CoordinatorMachine {
        var (machine, _) = try Samples.machine(plan)
        for site in sites { _ = machine.handle(.arrived(site), at: start) }
        return machine
    }

    func submit(
        _ machine: inout CoordinatorMachine,
        _ site: Int,
        round: Int = 1,
        attempt: Int = 1,
        model: Digest = Samples.base.digest,
        at time: Timestamp
    )
        -> [CoordinatorMachine.Effect]
    {
        let update = Samples.update(
            of: sites[site],
            round: round,
            attempt: attempt,
            model: model,
            content: UInt8(50 + 10 * round + site)
        )
        return machine.handle(.submitted(Samples.submission(update)), at: time)
    }

    func collection(_ machine: CoordinatorMachine) throws -> RoundState.Collection {
        guard case .collecting(let collection)? = machine.state.campaign?.round.phase else { throw TestFailure() }
        return collection
    }

    func result(_ byte: UInt8) -> GlobalState {
        GlobalState(model: Samples.digest(byte), modelByteCount: 1000, serverState: Samples.digest(byte &+ 100))
    }

    @Test func aDeadlineWithTooFewUpdatesMovesAsOftenAsThePlanSays() throws {
        var machine = try opened(Samples.plan(extensions: Extensions(seconds: 50, maximum: 2)))
        _ = submit(&machine, 0, at: start)
        for (now, deadline) in [(100, 150), (150, 200)] {
            guard case .roundExtended(let extended)? = machine.handle(.tick, at: start + now).entries.first?.body else {
                throw TestFailure()
            }
            #expect(extended.deadline == start + deadline)
        }
        guard case .roundAbandoned? = machine.handle(.tick, at: start + 200).entries.first?.body else {
            throw TestFailure()
        }
    }

    @Test func aDeadlineWithAQuorumIsNotExtended() throws {
        var machine = try opened(Samples.plan(extensions: Extensions(seconds: 50, maximum: 2)))
        _ = submit(&machine, 0, at: start)
        _ = submit(&machine, 1, at: start)
        #expect(machine.handle(.tick, at: start + 100).tasks.count == 1)
    }

    @Test func anOutageOverTheDeadlineIsMadeUpForWhereThePlanAllowsIt() throws {
        let patient = try opened(Samples.plan(extensions: Extensions(seconds: 50, maximum: 1)))
        let strict = try opened(Samples.plan())
        for (machine, isExtended) in [(patient, true), (strict, false)] {
            var running = machine
            _ = submit(&running, 0, at: start)
            _ = submit(&running, 1, at: start)
            var restarted = CoordinatorMachine(state: running.state)
            let effects = restarted.resume(present: [], at: start + 500)
            if isExtended {
                #expect(try collection(restarted).deadline == start + 550)
                #expect(effects.tasks.isEmpty)
                #expect(submit(&restarted, 2, at: start + 510).tasks.count == 1)
            } else {
                #expect(effects.tasks.first?.contributions.count == 2)
            }
        }
    }

    @Test func whatAnAbandonedAttemptHadAcceptedCountsInTheNext() throws {
        var machine = try opened(Samples.plan())
        _ = submit(&machine, 0, at: start)
        _ = machine.handle(.tick, at: start + 100)
        #expect(machine.state.campaign?.round.key == RoundKey(round: 1, attempt: 2))
        #expect(try collection(machine).accepted.keys.contains(sites[0]))
        guard case .rest = machine.assignment(for: sites[0]), case .train = machine.assignment(for: sites[1]) else {
            throw TestFailure()
        }
        // The update was trained for the first attempt and arrives in time for the second.
        guard case .accepted? = submit(&machine, 1, attempt: 1, at: start + 120).answers.first else {
            throw TestFailure()
        }
        let effects = submit(&machine, 2, attempt: 2, at: start + 130)
        #expect(effects.tasks.first?.contributions.map(\.site) == sites)
        #expect(machine.state.campaign?.updatesAccepted == 3)
    }

    @Test func anUpdateBetweenTwoAttemptsIsKeptAndNotRefused() throws {
        var machine = try opened(Samples.plan(quorum: 3))
        _ = machine.handle(.left(sites[2]), at: start)
        _ = machine.handle(.tick, at: start + 100)
        #expect(machine.state.campaign?.round.phaseName == "recruiting")
        guard case .postponed? = submit(&machine, 0, at: start + 110).answers.first else { throw TestFailure() }
        guard case .train = machine.assignment(for: sites[0]) else { throw TestFailure() }
        _ = machine.handle(.arrived(sites[2]), at: start + 120)
        guard case .accepted? = submit(&machine, 0, at: start + 130).answers.first else { throw TestFailure() }
    }

    @Test func anUpdateWhoseBlobIsLostIsAskedForAgain() throws {
        var machine = try opened(Samples.plan())
        for site in 0..<3 { _ = submit(&machine, site, at: start) }
        let effects = machine.handle(
            .aggregationFailed(RoundKey(round: 1, attempt: 1), "rotten", without: [sites[1]]),
            at: start
        )
        guard case .roundAbandoned(let abandonment)? = effects.entries.first?.body else { throw TestFailure() }
        #expect(abandonment.without == [sites[1]])
        #expect(try Set(collection(machine).accepted.keys) == [sites[0], sites[2]])
        guard case .train = machine.assignment(for: sites[1]) else { throw TestFailure() }
        #expect(submit(&machine, 1, attempt: 2, at: start).tasks.first?.contributions.count == 3)
    }

    @Test func lateUpdatesAreRefusedWithTheirReasonOrTakenWithLessWeight() throws {
        for lateRounds in [0, 1] {
            var machine = try opened(
                Samples.plan(rounds: 3, staleness: StalenessPolicy(rounds: lateRounds, weightPercent: 40))
            )
            _ = submit(&machine, 0, at: start)
            _ = submit(&machine, 1, at: start)
            _ = machine.handle(.tick, at: start + 100)
            let postponed = submit(&machine, 2, at: start + 101).answers.first
            _ = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start + 102)
            let effects = submit(&machine, 2, at: start + 103)
            if lateRounds == 0 {
                guard case .refused(let refusal)? = effects.answers.first else { throw TestFailure() }
                #expect(refusal.reason == .late)
                continue
            }
            guard case .postponed? = postponed, case .updateAccepted(let accepted)? = effects.entries.first?.body else {
                throw TestFailure()
            }
            #expect(accepted.weight == 20)
            #expect(submit(&machine, 2, at: start + 104).answers == effects.answers)
            for site in 0..<2 { _ = submit(&machine, site, round: 2, model: Samples.digest(3), at: start + 110) }
            let task = try #require(
                submit(&machine, 2, round: 2, model: Samples.digest(3), at: start + 111).tasks.first
            )
            #expect(task.contributions.map(\.weight) == [50, 50, 50, 20])
            _ = machine.handle(.aggregated(RoundKey(round: 2, attempt: 1), result(4)), at: start + 112)
            // It counted once and must not count again.
            #expect(machine.state.campaign?.updatesAccepted == 6)
        }
    }

    @Test func lateUpdatesSurviveAnAbandonedAttempt() throws {
        var machine = try opened(Samples.plan(rounds: 3, staleness: StalenessPolicy(rounds: 2, weightPercent: 50)))
        _ = submit(&machine, 0, at: start)
        _ = submit(&machine, 1, at: start)
        _ = machine.handle(.tick, at: start + 100)
        _ = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start + 101)
        _ = submit(&machine, 2, at: start + 110)
        _ = machine.handle(.tick, at: start + 201)
        #expect(machine.state.campaign?.round.key == RoundKey(round: 2, attempt: 2))
        #expect(try collection(machine).late.keys.contains(sites[2]))
    }

    @Test func aSiteThatLeavesIsNotAskedInTheNextRoundAndJoinsTheOneAfter() throws {
        var machine = try opened(Samples.plan(rounds: 3))
        _ = submit(&machine, 0, at: start)
        _ = submit(&machine, 1, at: start)
        _ = machine.handle(.left(sites[2]), at: start)
        _ = machine.handle(.tick, at: start + 100)
        _ = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start + 100)
        _ = machine.handle(.tick, at: start + 130)
        #expect(try collection(machine).cohort == Array(sites.prefix(2)))
        _ = machine.handle(.arrived(sites[2]), at: start + 131)
        guard case .rest = machine.assignment(for: sites[2]) else { throw TestFailure() }
        for site in 0..<2 { _ = submit(&machine, site, round: 2, model: Samples.digest(3), at: start + 140) }
        _ = machine.handle(.aggregated(RoundKey(round: 2, attempt: 1), result(4)), at: start + 141)
        #expect(try collection(machine).cohort == sites)
    }

    @Test func aClockThatIsSetBackMakesNoOlderEntries() throws {
        var machine = try opened(Samples.plan())
        let later = submit(&machine, 0, at: start + 50).entries.last
        let earlier = submit(&machine, 1, at: Timestamp(milliseconds: 5)).entries.last
        #expect(later?.at == start + 50 && earlier?.at == start + 50)
        var state = machine.state
        #expect(throws: LedgerViolation("is older than the entry before it")) {
            try state.apply(Entry(at: start, .modelRegistered(ModelName("X")!, Samples.base, by: "")))
        }
    }

    @Test func updatesArePrunedWhenTheirRetentionHasPassedAndNotBefore() throws {
        var machine = try opened(Samples.plan(rounds: 3, retentionSeconds: 1000))
        var model = Samples.base.digest
        for round in 1...3 {
            for site in 0..<3 { _ = submit(&machine, site, round: round, model: model, at: start + round) }
            _ = machine.handle(
                .aggregated(RoundKey(round: round, attempt: 1), result(UInt8(200 + round))),
                at: start + round * 10
            )
            model = Samples.digest(UInt8(200 + round))
        }
        #expect(machine.prune(by: "operator/o", at: start + 500).isEmpty)
        let effects = machine.prune(by: "operator/o", at: start + 1025)
        guard case .updatesPruned(let pruning)? = effects.entries.first?.body, case .remove(let digests)? = effects.last
        else { throw TestFailure() }
        #expect(pruning.throughRound == 2)
        // Six updates, and the first round's model and state; the third round starts from those of the second.
        #expect(digests.count == 8)
        #expect(
            !digests.contains(Samples.base.digest) && !digests.contains(Samples.digest(202))
                && !digests.contains(Samples.digest(203))
        )
        var early = machine.state
        #expect(throws: LedgerViolation.self) {
            try early.apply(
                Entry(
                    at: start + 1026,
                    .updatesPruned(Pruning(campaign: Samples.campaign, throughRound: 3, prunedBy: "o"))
                )
            )
        }
        // After a crash between the entry and the removal, the removal is repeated.
        var restarted = CoordinatorMachine(state: machine.state)
        guard case .remove(let again)? = restarted.resume(present: [], at: start + 2000).first else {
            throw TestFailure()
        }
        #expect(again == digests)
    }
}
