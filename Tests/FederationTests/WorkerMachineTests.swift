import Federation
import Testing

/// The worker's decisions.
@Suite struct WorkerMachineTests {
    func task(round: Int, attempt: Int = 1, lateRounds: Int = 0) -> TrainingTask {
        TrainingTask(
            campaign: Samples.campaign,
            key: RoundKey(round: round, attempt: attempt),
            rounds: 9,
            model: Samples.base,
            deadline: Samples.start,
            training: Samples.plan().training,
            lateRounds: lateRounds
        )
    }

    func prepared(round: Int) -> PreparedUpdate {
        PreparedUpdate(
            campaign: Samples.campaign,
            key: RoundKey(round: round, attempt: 1),
            model: Samples.base.digest,
            update: Samples.digest(5),
            byteCount: 9,
            localLoss: 1
        )
    }

    func working() -> WorkerMachine {
        var machine = WorkerMachine()
        _ = machine.handle(.connected)
        _ = machine.handle(.assigned(.train(task(round: 1))))
        _ = machine.handle(.fetched(task(round: 1).key))
        return machine
    }

    @Test func aRoundGoesFromTheModelToTheReceipt() {
        var machine = WorkerMachine()
        #expect(machine.handle(.connected) == [])
        #expect(machine.handle(.assigned(.train(task(round: 1)))) == [.fetch(task(round: 1))])
        #expect(machine.handle(.fetched(RoundKey(round: 1, attempt: 1))) == [.train(task(round: 1))])
        #expect(machine.handle(.trained(prepared(round: 1))) == [.upload(prepared(round: 1))])
        #expect(machine.handle(.uploaded(RoundKey(round: 1, attempt: 1))) == [.submit(prepared(round: 1))])
        #expect(
            machine.handle(.answered(RoundKey(round: 1, attempt: 1), accepted: true, reason: "in")) == [
                .clearOutbox(prepared(round: 1))
            ]
        )
        #expect(machine.work == .resting(reason: "in"))
    }

    @Test func aLostLinkDoesNotStopTraining() {
        var machine = working()
        #expect(machine.handle(.disconnected) == [.connect(afterSeconds: 1)])
        #expect(machine.handle(.trained(prepared(round: 1))) == [])
        #expect(machine.handle(.connected) == [.upload(prepared(round: 1))])
    }

    @Test func pausesDoubleUpToALimit() {
        var machine = WorkerMachine()
        let pauses = (0..<9).flatMap { _ in machine.handle(.disconnected) }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .connect(afterSeconds: $0) })
        _ = machine.handle(.connected)
        #expect(machine.handle(.disconnected) == [.connect(afterSeconds: 1)])
    }

    @Test func whatAFormerRunPreparedAsksForItsAnswerFirst() {
        var machine = WorkerMachine(outbox: prepared(round: 3))
        #expect(machine.handle(.connected) == [.submit(prepared(round: 3))])
        #expect(machine.handle(.assigned(.train(task(round: 3)))) == [])
        #expect(machine.handle(.blobMissing(task(round: 3).key)) == [.upload(prepared(round: 3))])
    }

    @Test func theReceiptOfAFormerRunIsNotLostToTheNextRound() {
        var machine = WorkerMachine(outbox: prepared(round: 3))
        _ = machine.handle(.connected)
        #expect(machine.handle(.assigned(.train(task(round: 4)))) == [])
        let effects = machine.handle(.answered(task(round: 3).key, accepted: true, reason: "in"))
        #expect(effects == [.clearOutbox(prepared(round: 3)), .fetch(task(round: 4))])
    }

    @Test func anotherAttemptAtTheRoundInHandStartsNothingAnew() {
        var machine = working()
        let again = task(round: 1, attempt: 2)
        #expect(machine.handle(.assigned(.train(again))) == [])
        #expect(machine.handle(.trained(prepared(round: 1))) == [.upload(prepared(round: 1))])
        #expect(machine.handle(.assigned(.train(again))) == [])
    }

    @Test func anUploadAsksWhetherItIsWantedWhenANewRoundOpens() {
        var machine = working()
        _ = machine.handle(.trained(prepared(round: 1)))
        #expect(machine.handle(.assigned(.train(task(round: 2)))) == [.submit(prepared(round: 1))])
        var wanted = machine
        #expect(wanted.handle(.blobMissing(task(round: 1).key)) == [.upload(prepared(round: 1))])
        let refused = machine.handle(.answered(task(round: 1).key, accepted: false, reason: "late"))
        #expect(refused == [.clearOutbox(prepared(round: 1)), .fetch(task(round: 2))])
    }

    @Test func aSlowSiteFinishesWhatThePlanStillTakes() {
        var machine = working()
        let newer = task(round: 2, lateRounds: 1)
        #expect(machine.handle(.assigned(.train(newer))) == [])
        _ = machine.handle(.trained(prepared(round: 1)))
        _ = machine.handle(.uploaded(task(round: 1).key))
        let effects = machine.handle(.answered(task(round: 1).key, accepted: true, reason: "in"))
        #expect(effects == [.clearOutbox(prepared(round: 1)), .fetch(newer)])
        var tooLate = working()
        #expect(tooLate.handle(.assigned(.train(task(round: 3, lateRounds: 1)))).first == .stopTraining)
    }

    @Test func anUpdateThatWasLostOnTheDiskIsTrainedAgain() {
        var machine = working()
        _ = machine.handle(.trained(prepared(round: 1)))
        #expect(machine.handle(.updateLost(task(round: 1).key)) == [.clearOutbox(prepared(round: 1)), .reconnect])
        _ = machine.handle(.disconnected)
        _ = machine.handle(.connected)
        #expect(machine.handle(.assigned(.train(task(round: 1)))) == [.fetch(task(round: 1))])
    }

    @Test func aNewRoundReplacesAnOlderOne() {
        var machine = working()
        #expect(machine.handle(.assigned(.train(task(round: 2)))) == [.stopTraining, .fetch(task(round: 2))])
        #expect(machine.handle(.trained(prepared(round: 1))) == [.clearOutbox(prepared(round: 1))])
    }

    @Test func theReceiptComesBeforeTheNextRound() {
        var machine = working()
        _ = machine.handle(.trained(prepared(round: 1)))
        _ = machine.handle(.uploaded(RoundKey(round: 1, attempt: 1)))
        #expect(machine.handle(.assigned(.train(task(round: 2)))) == [])
        let effects = machine.handle(.answered(RoundKey(round: 1, attempt: 1), accepted: true, reason: "in"))
        #expect(effects == [.clearOutbox(prepared(round: 1)), .fetch(task(round: 2))])
    }

    @Test func theEndOfTheCampaignIsNotMissedWhileSubmitting() {
        var machine = working()
        let end = CampaignEnd(campaign: Samples.campaign, completed: true, reason: "done", model: Samples.digest(1))
        _ = machine.handle(.trained(prepared(round: 1)))
        _ = machine.handle(.uploaded(RoundKey(round: 1, attempt: 1)))
        _ = machine.handle(.assigned(.finished(end, model: nil)))
        _ = machine.handle(.answered(RoundKey(round: 1, attempt: 1), accepted: true, reason: "in"))
        #expect(machine.work == .finished(end))
    }

    @Test func failedTransfersAreTriedAgain() {
        var machine = working()
        _ = machine.handle(.trained(prepared(round: 1)))
        #expect(machine.handle(.uploadFailed(RoundKey(round: 1, attempt: 1), "cut")) == [.retry(afterSeconds: 1)])
        #expect(machine.handle(.retryDue) == [.upload(prepared(round: 1))])
        _ = machine.handle(.uploaded(RoundKey(round: 1, attempt: 1)))
        let pauses = (0..<5).flatMap { _ in machine.handle(.submissionFailed(RoundKey(round: 1, attempt: 1), "cut")) }
        #expect(pauses == [1, 2, 4, 8, 8].map { .retry(afterSeconds: $0) })
        #expect(machine.handle(.blobMissing(RoundKey(round: 1, attempt: 1))) == [.upload(prepared(round: 1))])
    }

    @Test func anUploadThatIsNotWantedAnyMoreAsksForItsReceipt() {
        var machine = WorkerMachine(outbox: prepared(round: 3))
        _ = machine.handle(.connected)
        _ = machine.handle(.blobMissing(task(round: 3).key))
        let end = CampaignEnd(campaign: Samples.campaign, completed: true, reason: "done", model: Samples.digest(1))
        _ = machine.handle(.assigned(.finished(end, model: nil)))
        #expect(machine.handle(.uploadFailed(RoundKey(round: 3, attempt: 1), "refused")) == [.retry(afterSeconds: 1)])
        #expect(machine.handle(.retryDue) == [.submit(prepared(round: 3))])
        _ = machine.handle(.answered(RoundKey(round: 3, attempt: 1), accepted: true, reason: "in"))
        #expect(machine.work == .finished(end))
    }

    @Test func trainingThatFailedIsTriedAgain() {
        var machine = working()
        #expect(
            machine.handle(.trainingFailed(RoundKey(round: 1, attempt: 1), "disk")) == [
                .retry(afterSeconds: WorkerMachine.trainingRetrySeconds)
            ]
        )
        #expect(machine.handle(.retryDue) == [.fetch(task(round: 1))])
    }

    @Test func whatACampaignCameToIsFetchedAndKept() {
        var machine = WorkerMachine()
        _ = machine.handle(.connected)
        let end = CampaignEnd(campaign: Samples.campaign, completed: true, reason: "done", model: Samples.digest(7))
        let model = BlobReference(digest: Samples.digest(7), byteCount: 9)
        #expect(machine.handle(.assigned(.finished(end, model: model))) == [.keep(end, model)])
        // A repeated assignment does not start the work again.
        #expect(machine.handle(.assigned(.finished(end, model: model))) == [])
        #expect(machine.handle(.keepFailed(Samples.campaign, "cut")) == [.retry(afterSeconds: 1)])
        _ = machine.handle(.disconnected)
        #expect(machine.handle(.connected) == [.keep(end, model)])
        #expect(machine.handle(.kept(Samples.campaign)) == [])
        #expect(machine.work == .finished(end))
        #expect(machine.handle(.assigned(.finished(end, model: model))) == [])
    }
}
