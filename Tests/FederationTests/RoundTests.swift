import Federation
import Testing

/// The coordinator's decisions about rounds.
@Suite struct RoundTests {
    let start = Samples.start

    func opened(_ plan: Plan = Samples.plan()) throws -> (CoordinatorMachine, [Entry]) {
        var (machine, entries) = try Samples.machine(plan)
        for site in Samples.sites { entries += machine.handle(.arrived(site), at: start).entries }
        return (machine, entries)
    }

    func refusal(_ effects: [CoordinatorMachine.Effect]) -> UpdateRefusal.Reason? {
        if case .refused(let refusal)? = effects.answers.first { refusal.reason } else { nil }
    }

    @Test func roundOpensAtOnceWhenEverySiteIsPresent() throws {
        let (machine, entries) = try opened()
        guard case .roundOpened(let opening) = try #require(entries.last).body else { throw TestFailure() }
        #expect(opening.cohort == Samples.sites)
        #expect(opening.deadline == start + 100)
        guard case .train(let task) = machine.assignment(for: Samples.sites[0]) else { throw TestFailure() }
        #expect(task.model.digest == Samples.base.digest)
    }

    @Test func roundWithAQuorumWaitsForTheOthersAndThenOpensWithoutThem() throws {
        var (machine, _) = try Samples.machine()
        #expect(machine.handle(.arrived(Samples.sites[0]), at: start).entries.isEmpty)
        #expect(machine.handle(.arrived(Samples.sites[1]), at: start).entries.isEmpty)
        #expect(machine.wakeTime == start + 30)
        #expect(machine.handle(.tick, at: start + 29).entries.isEmpty)
        let entries = machine.handle(.tick, at: start + 30).entries
        guard case .roundOpened(let opening) = try #require(entries.first).body else { throw TestFailure() }
        #expect(opening.cohort == Array(Samples.sites.prefix(2)))
        guard case .rest = machine.assignment(for: Samples.sites[2]) else { throw TestFailure() }
    }

    @Test func updateIsRecordedBeforeItIsAnswered() throws {
        var (machine, _) = try opened()
        let effects = machine.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[0]))), at: start)
        guard case .record(let entry) = effects[0], case .updateAccepted(let accepted) = entry.body else {
            throw TestFailure()
        }
        #expect(accepted.weight == 50)
        #expect(effects.answers == [.accepted(index: 4)])
        let record = try #require(effects.firstIndex { if case .record = $0 { true } else { false } })
        let answer = try #require(effects.firstIndex { if case .answer = $0 { true } else { false } })
        #expect(record < answer)
    }

    @Test func theSameUpdateAgainGetsTheSameAnswerAndCountsOnce() throws {
        var (machine, _) = try opened()
        let submission = Samples.submission(Samples.update(of: Samples.sites[0]))
        let first = machine.handle(.submitted(submission), at: start)
        let second = machine.handle(.submitted(submission), at: start)
        #expect(second.answers == first.answers)
        #expect(second.entries.isEmpty)
        #expect(machine.state.campaign?.updatesAccepted == 1)
    }

    @Test func receiptIsGivenAgainInTheNextCampaign() throws {
        var (machine, _) = try opened(Samples.plan(attempts: 1))
        let submission = Samples.submission(Samples.update(of: Samples.sites[0]))
        let first = machine.handle(.submitted(submission), at: start)
        _ = machine.handle(.tick, at: start + 100)
        #expect(machine.state.campaign?.end?.completed == false)
        var next = Samples.plan()
        next.campaign = CampaignID("C2")!
        _ = try machine.open(next, by: "operator/o", at: start + 200)
        let again = machine.handle(.submitted(submission), at: start + 200)
        #expect(again.answers == first.answers && again.entries.isEmpty)
        let manifest = submission.update.manifest
        #expect(machine.preliminaryAnswer(to: manifest, from: Samples.sites[0], at: start + 200) == first.answers.first)
        // This answer is only for the site itself, and only for that update.
        #expect(machine.preliminaryAnswer(to: manifest, from: Samples.sites[1], at: start + 200) != first.answers.first)
        let other = Samples.update(of: Samples.sites[0], content: 51).manifest
        #expect(machine.preliminaryAnswer(to: other, from: Samples.sites[0], at: start + 200) != first.answers.first)
    }

    @Test func receiptIsGivenAgainAfterTheRoundIsOver() throws {
        var (machine, _) = try opened()
        let submissions = Samples.sites.map { Samples.submission(Samples.update(of: $0)) }
        var answers: [SubmissionAnswer] = []
        for submission in submissions { answers += machine.handle(.submitted(submission), at: start).answers }
        _ = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start)
        #expect(machine.handle(.submitted(submissions[1]), at: start).answers == [answers[1]])
    }

    @Test func samplesAboveTheBoundCountAsTheBound() throws {
        var (machine, _) = try opened()
        let effects = machine.handle(
            .submitted(Samples.submission(Samples.update(of: Samples.sites[0], samples: 4_000_000_000))),
            at: start
        )
        guard case .updateAccepted(let accepted) = try #require(effects.entries.first).body else { throw TestFailure() }
        #expect(accepted.weight == 100)
    }

    @Test func unsoundUpdatesAreRefusedByName() throws {
        var (machine, _) = try opened()
        let site = Samples.sites[0]
        func submit(_ update: SignedUpdate, _ inspection: Inspection = .sound(norm: 1), from sender: SiteID? = nil)
            -> UpdateRefusal.Reason?
        {
            var copy = machine
            return refusal(
                copy.handle(
                    .submitted(
                        Submission(sender: sender ?? update.manifest.site, update: update, inspection: inspection)
                    ),
                    at: start
                )
            )
        }
        #expect(submit(Samples.update(of: site, round: 2)) == .wrongRound)
        #expect(submit(Samples.update(of: site, attempt: 2)) == .wrongRound)
        #expect(submit(Samples.update(of: site, model: Samples.digest(7))) == .wrongBase)
        #expect(submit(Samples.update(of: site, layout: Samples.digest(7))) == .wrongLayout)
        #expect(submit(Samples.update(of: site, samples: 0)) == .noSamples)
        #expect(submit(Samples.update(of: site), .sound(norm: 10.001)) == .normTooLarge)
        #expect(submit(Samples.update(of: site), .sound(norm: .infinity)) == .notFinite)
        #expect(submit(Samples.update(of: site), .sound(norm: .nan)) == .notFinite)
        #expect(submit(Samples.update(of: site), .unsound(UpdateRefusal(.badSignature, ""))) == .badSignature)
        #expect(submit(Samples.update(of: site), from: Samples.sites[1]) == .wrongSite)
        #expect(submit(Samples.update(of: SiteID("z/unknown")!)) == .notInCohort)
        #expect(submit(Samples.update(of: site), .sound(norm: 10)) == nil)
        _ = machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start)
        #expect(submit(Samples.update(of: site, content: 51)) == .duplicate)
        var late = machine
        #expect(
            refusal(late.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[1]))), at: start + 101))
                == .late
        )
    }

    @Test func anUpdateThatTheLedgerNamesAsAnotherSitesIsRefused() throws {
        var (machine, _) = try opened()
        _ = machine.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[0], content: 60))), at: start)
        let copied = machine.handle(
            .submitted(Samples.submission(Samples.update(of: Samples.sites[1], content: 60))),
            at: start
        )
        #expect(refusal(copied) == .duplicate)
        guard case .updateRefused(let refused)? = copied.entries.first?.body else { throw TestFailure() }
        #expect(refused.site == Samples.sites[1])
        #expect(machine.state.campaign?.updatesAccepted == 1)
        // The site's own update is still accepted.
        let own = machine.handle(
            .submitted(Samples.submission(Samples.update(of: Samples.sites[1], content: 61))),
            at: start
        )
        #expect(own.answers == [.accepted(index: 6)])
    }

    @Test func anUpdateOfAnEarlierRoundAModelOrAServerStateIsRefusedAsANewOne() throws {
        var (machine, _) = try opened()
        for (index, site) in Samples.sites.enumerated() {
            _ = machine.handle(
                .submitted(Samples.submission(Samples.update(of: site, content: UInt8(60 + index)))),
                at: start
            )
        }
        _ = machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start)
        // Digests of: its own update of round 1, another site's, the base, the new model, its server state.
        for content in [60, 61, 1, 3, 103] as [UInt8] {
            var copy = machine
            let update = Samples.update(of: Samples.sites[0], round: 2, model: Samples.digest(3), content: content)
            #expect(refusal(copy.handle(.submitted(Samples.submission(update)), at: start)) == .duplicate, "\(content)")
        }
        let new = Samples.update(of: Samples.sites[0], round: 2, model: Samples.digest(3), content: 70)
        #expect(refusal(machine.handle(.submitted(Samples.submission(new)), at: start)) == nil)
    }

    @Test func anUpdateOfTheCampaignBeforeIsRefusedAsANewOne() throws {
        var (machine, _) = try opened(Samples.plan(attempts: 1))
        _ = machine.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[0], content: 60))), at: start)
        _ = machine.handle(.tick, at: start + 100)
        var next = Samples.plan()
        next.campaign = CampaignID("C2")!
        _ = try machine.open(next, by: "operator/o", at: start + 200)
        let old = Samples.update(of: Samples.sites[0], content: 60)
        var manifest = old.manifest
        manifest.campaign = next.campaign
        let again = SignedUpdate(manifest: manifest, manifestBytes: [1], signature: [2], certificate: [3])
        #expect(refusal(machine.handle(.submitted(Samples.submission(again)), at: start + 200)) == .duplicate)
    }

    @Test func anUpdateThatWasLostMayComeAgainAsTheSameBytes() throws {
        var (machine, _) = try opened()
        var effects: [CoordinatorMachine.Effect] = []
        for site in Samples.sites {
            effects = machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start)
        }
        let task = try #require(effects.tasks.first)
        _ = machine.handle(.aggregationFailed(task.key, "damaged", without: [Samples.sites[0]]), at: start)
        let again = machine.handle(
            .submitted(Samples.submission(Samples.update(of: Samples.sites[0], attempt: 2))),
            at: start
        )
        guard case .accepted? = again.answers.first else { throw TestFailure() }
        #expect(again.tasks.first?.contributions.count == 3)
    }

    /// Otherwise a site could name digests to find out whether another site has sent them.
    @Test func noAnswerToldBeforeTheBytesAreThereSaysWhatTheLedgerNames() throws {
        var (machine, _) = try opened()
        _ = machine.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[0], content: 60))), at: start)
        func answers(_ content: UInt8) -> (preliminary: SubmissionAnswer?, final: [SubmissionAnswer]) {
            var copy = machine
            let update = Samples.update(of: Samples.sites[1], content: content)
            let missing = Samples.submission(update, inspection: .unsound(UpdateRefusal(.blobMissing, "not here")))
            return (
                copy.preliminaryAnswer(to: update.manifest, from: Samples.sites[1], at: start),
                copy.handle(.submitted(missing), at: start).answers
            )
        }
        let (used, unknown) = (answers(60), answers(61))
        #expect(used.preliminary == nil && unknown.preliminary == nil)
        #expect(used.final == unknown.final && used.final.count == 1)
    }

    @Test func aLedgerFromWhenDigestsCouldRepeatStillFolds() throws {
        let (machine, _) = try opened()
        var state = machine.state
        for site in Samples.sites.prefix(2) {
            let accepted = AcceptedUpdate(update: Samples.update(of: site, content: 60), weight: 50, norm: 1)
            try state.apply(Entry(at: start, .updateAccepted(accepted)))
        }
        // Each site still gets its own receipt.
        for (offset, site) in Samples.sites.prefix(2).enumerated() {
            #expect(state.place(of: Samples.update(of: site, content: 60).manifest)?.index == UInt64(4 + offset))
        }
    }

    @Test func refusalsOfOneSiteCannotFillTheLedger() throws {
        var (machine, _) = try opened()
        let bad = Samples.submission(Samples.update(of: Samples.sites[0], samples: 0))
        let recorded = (0..<100).reduce(0) { count, _ in
            count + machine.handle(.submitted(bad), at: start).entries.count
        }
        #expect(recorded == RoundState.recordedRefusalsPerSite)
    }

    @Test func completeRoundClosesCommitsAndTheNextOneOpens() throws {
        var (machine, _) = try opened()
        var effects: [CoordinatorMachine.Effect] = []
        for site in Samples.sites {
            effects = machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start)
        }
        let task = try #require(effects.tasks.first)
        #expect(task.contributions.map(\.site) == Samples.sites)
        #expect(task.totalWeight == 150)
        let entries = machine.handle(.aggregated(task.key, result(3)), at: start).entries
        guard case .roundCommitted = entries[0].body, case .roundOpened(let opening) = entries[1].body else {
            throw TestFailure()
        }
        #expect(opening.key == RoundKey(round: 2, attempt: 1))
        #expect(opening.model == Samples.digest(3))
    }

    @Test func deadlineClosesWithAQuorumAndAbandonsWithout() throws {
        var (machine, _) = try opened()
        _ = machine.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[0]))), at: start)
        var two = machine
        _ = two.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[2]))), at: start)
        #expect(two.handle(.tick, at: start + 100).tasks.first?.contributions.count == 2)
        let entries = machine.handle(.tick, at: start + 100).entries
        guard case .roundAbandoned(let abandonment) = entries[0].body, case .roundOpened(let opening) = entries[1].body
        else { throw TestFailure() }
        #expect(abandonment.key == RoundKey(round: 1, attempt: 1))
        #expect(abandonment.reason.contains("1 of 2"))
        #expect(opening.key == RoundKey(round: 1, attempt: 2))
    }

    @Test func campaignStopsWhenARoundFailsTooOften() throws {
        var (machine, _) = try opened()
        _ = machine.handle(.tick, at: start + 100)
        let entries = machine.handle(.tick, at: start + 300).entries
        guard case .campaignEnded(let end) = try #require(entries.last).body else { throw TestFailure() }
        #expect(!end.completed)
        guard case .finished = machine.assignment(for: Samples.sites[0]) else { throw TestFailure() }
    }

    @Test func campaignEndsAndItsReleaseCanBeCutOnce() throws {
        var (machine, entries) = try opened(Samples.plan(rounds: 1))
        for site in Samples.sites {
            entries += machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start).entries
        }
        entries += machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start).entries
        let cutting = ReleaseCutting(
            name: ModelName("FY2027")!,
            campaign: Samples.campaign,
            model: ModelReference(digest: Samples.digest(3), layout: Samples.base.layout, byteCount: 1000),
            cutBy: "operator/o"
        )
        entries += try machine.cut(cutting, at: start).entries
        #expect(machine.state.models[ModelName("FY2027")!] == cutting.model)
        #expect(throws: LedgerViolation.self) { try machine.cut(cutting, at: start) }
        // Updates of one campaign must not count in another campaign of the same name.
        #expect(throws: LedgerViolation("uses the name C1 again")) {
            var plan = Samples.plan()
            plan.release = ModelName("FY2028")!
            _ = try machine.open(plan, by: "operator/o", at: start)
        }
    }

    @Test func restartAtAnyEntryGoesOnWhereItWas() throws {
        var (machine, entries) = try opened()
        for site in Samples.sites {
            entries += machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start).entries
        }
        entries += machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start).entries
        for count in 3...entries.count {
            var state = ConsortiumState()
            for entry in entries.prefix(count) { try state.apply(entry) }
            var restarted = CoordinatorMachine(state: state)
            var effects = restarted.resume(present: [], at: start)
            for site in Samples.sites { effects += restarted.handle(.arrived(site), at: start) }
            // Sites send again every update for which they have no receipt; the rest of the campaign follows.
            for _ in 0..<20 where restarted.state.campaign?.end == nil {
                let round = try #require(restarted.state.campaign?.round)
                if let task = effects.tasks.last {
                    effects = restarted.handle(.aggregated(task.key, result(UInt8(10 + task.key.round))), at: start)
                    continue
                }
                effects = []
                for site in Samples.sites {
                    let update = Samples.update(of: site, round: round.key.round, model: round.start.model)
                    effects += restarted.handle(.submitted(Samples.submission(update)), at: start)
                }
            }
            #expect(
                restarted.state.campaign?.end?.completed == true,
                """
                after entry \(count): \(restarted.state.campaign!.round.key) \
                \(restarted.state.campaign!.round.phaseName)
                """
            )
        }
    }

    /// Also between two rounds: the coordinator's state is exactly what an auditor computes from the entries.
    @Test func afterEveryStepTheMachineHoldsTheFoldOfItsEntriesAndNothingElse() throws {
        var (machine, entries) = try opened()
        func check() throws {
            var state = ConsortiumState()
            for entry in entries { try state.apply(entry) }
            #expect(state == machine.state)
        }
        for site in Samples.sites {
            entries += machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start).entries
            try check()
        }
        entries += machine.handle(.left(Samples.sites[2]), at: start).entries
        entries += machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start).entries
        try check()
        // Round 2 recruits; whether a quorum is present is not part of the state.
        #expect(machine.wakeTime == start + 30)
        entries += machine.handle(.tick, at: start + 30).entries
        entries += machine.handle(.tick, at: start + 200).entries
        try check()
        #expect(machine.state.campaign?.round.key == RoundKey(round: 2, attempt: 2))
    }

    @Test func ledgerThatContradictsThePlanDoesNotFold() throws {
        let (_, entries) = try opened()
        var state = ConsortiumState()
        for entry in entries { try state.apply(entry) }
        let overweight = AcceptedUpdate(update: Samples.update(of: Samples.sites[0]), weight: 51, norm: 1)
        let outsider = AcceptedUpdate(update: Samples.update(of: SiteID("z/unknown")!), weight: 50, norm: 1)
        let commit = RoundCommit(key: RoundKey(round: 1, attempt: 1), result: result(3), scaleBits: 1, totalWeight: 1)
        for body in [
            .updateAccepted(overweight), .updateAccepted(outsider), .roundCommitted(commit),
            .roundClosed(RoundKey(round: 1, attempt: 1)),
        ]
            as [Entry.Body]
        {
            var copy = state
            #expect(throws: LedgerViolation.self) { try copy.apply(Entry(at: start, body)) }
        }
    }

    func result(_ byte: UInt8) -> GlobalState {
        GlobalState(model: Samples.digest(byte), modelByteCount: 1000, serverState: Samples.digest(byte &+ 100))
    }
}

struct TestFailure: Error {}
