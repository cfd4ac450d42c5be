import Federation
import Testing

/// The worker's decisions.
@Suite struct WorkerMachineTests {
    func task(round: Int) -> TrainingTask {
        TrainingTask(
            campaign: Samples.campaign, key: RoundKey(round: round, attempt: 1), rounds: 9, model: Samples.base, deadline: Samples.start,
            training: Samples.plan().training)
    }

    func prepared(round: Int) -> PreparedUpdate {
        PreparedUpdate(campaign: Samples.campaign, key: RoundKey(round: round, attempt: 1), update: Samples.digest(5), byteCount: 9, localLoss: 1)
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
        #expect(machine.handle(.answered(RoundKey(round: 1, attempt: 1), accepted: true, reason: "in")) == [.clearOutbox(prepared(round: 1))])
        #expect(machine.work == .resting(reason: "in"))
    }

    @Test func aLostLinkDoesNotStopTraining() {
        var machine = working()
        #expect(machine.handle(.disconnected) == [.connect(afterSeconds: 0)])
        #expect(machine.handle(.trained(prepared(round: 1))) == [])
        #expect(machine.handle(.connected) == [.upload(prepared(round: 1))])
    }

    @Test func pausesDoubleUpToALimit() {
        var machine = WorkerMachine()
        let pauses = (0..<9).flatMap { _ in machine.handle(.disconnected) }
        #expect(pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60].map { .connect(afterSeconds: $0) })
        _ = machine.handle(.connected)
        #expect(machine.handle(.disconnected) == [.connect(afterSeconds: 0)])
    }

    @Test func whatAFormerRunPreparedIsSentFirst() {
        var machine = WorkerMachine(outbox: prepared(round: 3))
        #expect(machine.handle(.connected) == [.upload(prepared(round: 3))])
        #expect(machine.handle(.assigned(.train(task(round: 3)))) == [])
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
        _ = machine.handle(.assigned(.finished(end)))
        _ = machine.handle(.answered(RoundKey(round: 1, attempt: 1), accepted: true, reason: "in"))
        #expect(machine.work == .finished(end))
    }

    @Test func failedTransfersAreTriedAgain() {
        var machine = working()
        _ = machine.handle(.trained(prepared(round: 1)))
        #expect(machine.handle(.uploadFailed(RoundKey(round: 1, attempt: 1), "cut")) == [.retry(afterSeconds: 1)])
        #expect(machine.retry() == [.upload(prepared(round: 1))])
        _ = machine.handle(.uploaded(RoundKey(round: 1, attempt: 1)))
        #expect(machine.handle(.submissionFailed(RoundKey(round: 1, attempt: 1), "cut")) == [.retry(afterSeconds: 1)])
        #expect(machine.handle(.blobMissing(RoundKey(round: 1, attempt: 1))) == [.upload(prepared(round: 1))])
    }

    @Test func anUploadThatIsNotWantedAnyMoreAsksForItsReceipt() {
        var machine = WorkerMachine(outbox: prepared(round: 3))
        let end = CampaignEnd(campaign: Samples.campaign, completed: true, reason: "done", model: Samples.digest(1))
        _ = machine.handle(.connected)
        _ = machine.handle(.assigned(.finished(end)))
        #expect(machine.handle(.uploadFailed(RoundKey(round: 3, attempt: 1), "refused")) == [.submit(prepared(round: 3))])
        _ = machine.handle(.answered(RoundKey(round: 3, attempt: 1), accepted: true, reason: "in"))
        #expect(machine.work == .finished(end))
    }

    @Test func trainingThatFailedIsTriedAgain() {
        var machine = working()
        #expect(machine.handle(.trainingFailed(RoundKey(round: 1, attempt: 1), "disk")) == [.retry(afterSeconds: WorkerMachine.trainingRetrySeconds)])
        #expect(machine.retry() == [.fetch(task(round: 1))])
    }
}
