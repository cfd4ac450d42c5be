import Federation
import Testing

@Suite("An update is recorded once, and then gets one answer")
struct SubmissionTests: RoundFixture {
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

    @Test func refusalsOfOneSiteCannotFillTheLedger() throws {
        var (machine, _) = try opened()
        let bad = Samples.submission(Samples.update(of: Samples.sites[0], samples: 0))
        let recorded = (0..<100).reduce(0) { count, _ in
            count + machine.handle(.submitted(bad), at: start).entries.count
        }
        #expect(recorded == RoundState.recordedRefusalsPerSite)
    }

    // MARK: Updates that are in the ledger already

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
}
