import Federation
import Protocol
import Testing
import Wire
@testable import Worker

/// The worker's driver without I/O.
@Suite struct WorkerDriverTests {
    private let link = LinkID(1)
    private let site = SiteID("acme/osaka")!
    private let welcome = Welcome(
        version: 1,
        consortium: "c",
        time: Timestamp(milliseconds: 1),
        heartbeatSeconds: 5,
        chunkBytes: 64,
        logKey: [1],
        logKeySignature: [2]
    )
    private let task = TrainingTask(
        campaign: CampaignID("C1")!,
        key: RoundKey(round: 1, attempt: 1),
        rounds: 2,
        model: ModelReference(digest: digest(1), layout: digest(2), byteCount: 1000),
        adapter: BlobReference(digest: digest(3), byteCount: 10),
        deadline: Timestamp(milliseconds: 1000),
        training: Training(localSteps: 1, batch: 1, learningRate: 1e-3)
    )

    private static func digest(_ byte: UInt8) -> Digest { Digest([UInt8](repeating: byte, count: 32))! }

    private func update() -> SignedUpdate {
        let manifest = UpdateManifest(
            campaign: task.campaign,
            key: task.key,
            site: site,
            model: task.model.digest,
            adapter: task.adapter?.digest,
            update: Self.digest(60),
            updateByteCount: 900,
            layout: task.model.layout,
            samples: 50,
            localLoss: 0.5,
            createdAt: Timestamp(milliseconds: 1)
        )
        return SignedUpdate(manifest: manifest, manifestBytes: [1], signature: [2], certificate: [3])
    }

    private func receipt(_ index: UInt64) -> NamedReceipt {
        NamedReceipt(name: "r\(index)", receipt: Receipt(index: index, entry: [], proof: [], treeHead: ""))
    }

    /// A driver whose control connection is open.
    private func opened(outbox: SignedUpdate? = nil) -> (WorkerDriver, [WorkerEffect]) {
        var driver = WorkerDriver(outbox: outbox)
        _ = driver.handle(.started)
        _ = driver.handle(.connected(link, welcome))
        let effects = driver.handle(.historyCompared(link, .extends, receipts: []))
        return (driver, effects)
    }

    @Test func aTaskIsFollowedFromItsModelToItsReceipt() throws {
        var (driver, _) = opened()
        let assignment = Assignment.train(task)
        let received = driver.handle(.received(link, ServerFrame(inReplyTo: 0, .assignment(assignment))))
        #expect(received.admissions == [assignment])
        var effects = driver.handle(.admitted(link, assignment, isAsSent: true))
        // The model is fetched first, then the adapter.
        #expect(effects.downloads.map(\.1.digest) == [task.model.digest])
        effects = driver.handle(.transferred(effects.downloads[0].0))
        #expect(effects.downloads.map(\.1) == [task.adapter!])
        effects = driver.handle(.transferred(effects.downloads[0].0))
        guard case .removeModels? = effects.first else { return _ = Issue.record("\(effects)") }
        #expect(effects.contains { if case .train(task) = $0 { true } else { false } })
        let trained = TrainedUpdate(digest: Self.digest(60), byteCount: 900, samples: 50, loss: 0.5)
        guard case .prepare? = driver.handle(.trained(task, trained)).first else {
            return _ = Issue.record("the update is prepared first")
        }
        effects = driver.handle(.prepared(task, update()))
        let upload = try #require(effects.uploads.first)
        effects = driver.handle(.transferred(upload))
        guard
            case .prepareSubmission(link, let signed)? = effects.last(where: {
                if case .prepareSubmission = $0 { true } else { false }
            })
        else {
            return _ = Issue.record("\(effects)")
        }
        effects = driver.handle(.readyToSubmit(link, signed, seenEntries: 3))
        let (message, number) = try #require(effects.messages.first)
        guard case .submitUpdate(_, seenEntries: 3) = message else { return _ = Issue.record("\(message)") }
        effects = driver.handle(.received(link, ServerFrame(inReplyTo: number, .receipt(receipt(4).receipt))))
        guard case .keepReceipt? = effects.last else { return _ = Issue.record("\(effects)") }
        #expect(driver.pending != nil, "the update stays until its receipt is on the disk")
        effects = driver.handle(.receiptKept(task.key, entry: 4))
        #expect(driver.pending == nil && effects.contains { if case .clearOutbox = $0 { true } else { false } })
    }

    @Test func nothingIsDoneForACoordinatorBeforeItsLedgerIsJudged() throws {
        var driver = WorkerDriver(outbox: update())
        _ = driver.handle(.started)
        guard case .compareHistory? = driver.handle(.connected(link, welcome)).first else {
            return _ = Issue.record("no judgement")
        }
        #expect(driver.handle(.received(link, ServerFrame(inReplyTo: 0, .assignment(.train(task))))).isEmpty)
        let effects = driver.handle(.historyCompared(link, .extends, receipts: []))
        // The waiting update is submitted, and the assignment that was held back is checked.
        #expect(effects.contains { if case .prepareSubmission = $0 { true } else { false } })
        #expect(effects.admissions == [.train(task)])
    }

    @Test func aCoordinatorThatLacksEntriesIsShownThemAndGetsNothingElse() throws {
        var driver = WorkerDriver(outbox: update())
        _ = driver.handle(.started)
        _ = driver.handle(.connected(link, welcome))
        var effects = driver.handle(
            .historyCompared(link, .isBehind(seen: 7, theirs: 5), receipts: [receipt(5), receipt(6)])
        )
        for index in [5, 6] as [UInt64] {
            let (message, number) = try #require(effects.messages.first)
            guard case .presentReceipt(let shown) = message else { return _ = Issue.record("\(message)") }
            #expect(shown.index == index && effects.messages.count == 1)
            effects = driver.handle(.received(link, ServerFrame(inReplyTo: number, .receiptSeen(isHeld: false))))
        }
        guard case .goodbye? = effects.messages.first?.0 else { return _ = Issue.record("\(effects)") }
        #expect(effects.contains { if case .close(link) = $0 { true } else { false } })
        #expect(!effects.contains { if case .setAside = $0 { true } else { false } }, "receipts are evidence")
        _ = driver.handle(.disconnected(WorkerFailure("the link ended")))
        #expect(driver.problem?.text.contains("7 entries") == true && !driver.machine.isConnected)
    }

    @Test func afterAnAcceptedLossReceiptsThatAreGoneAreSetAside() throws {
        var driver = WorkerDriver(outbox: nil)
        _ = driver.handle(.started)
        _ = driver.handle(.connected(link, welcome))
        let loss = DeclaredLoss(
            declaration: LossDeclaration(lostTreeHead: "", keptEntries: 5, reason: "r", declaredBy: "o"),
            entry: receipt(9).receipt,
            isAccepted: true
        )
        var effects = driver.handle(.historyCompared(link, .lossDeclared(loss), receipts: [receipt(4), receipt(6)]))
        effects = driver.handle(
            .received(link, ServerFrame(inReplyTo: effects.messages[0].1, .receiptSeen(isHeld: true)))
        )
        #expect(!effects.contains { if case .setAside = $0 { true } else { false } })
        effects = driver.handle(
            .received(link, ServerFrame(inReplyTo: effects.messages[0].1, .receiptSeen(isHeld: false)))
        )
        #expect(effects.contains { if case .setAside("r6") = $0 { true } else { false } })
        #expect(effects.contains { if case .continueAfterLoss(link, _) = $0 { true } else { false } })
        #expect(!driver.machine.isConnected)
        _ = driver.handle(.continuedAfterLoss(link))
        #expect(driver.machine.isConnected)
    }

    @Test func aSubmissionThatIsLostWithItsLinkIsMadeAgain() throws {
        var (driver, effects) = opened(outbox: update())
        #expect(effects.contains { if case .prepareSubmission = $0 { true } else { false } })
        _ = driver.handle(.readyToSubmit(link, update(), seenEntries: 0))
        effects = driver.handle(.disconnected(WorkerFailure("the link broke")))
        #expect(effects.contains { if case .wake(.connect, _, _) = $0 { true } else { false } })
        let next = LinkID(2)
        _ = driver.handle(.connected(next, welcome))
        effects = driver.handle(.historyCompared(next, .extends, receipts: []))
        #expect(effects.contains { if case .prepareSubmission(next, _) = $0 { true } else { false } })
        // An answer to a request on the previous connection is ignored.
        #expect(driver.handle(.received(next, ServerFrame(inReplyTo: 2, .receipt(receipt(4).receipt)))).isEmpty)
    }

    @Test func aTaskWaitsBetweenAFailureAndTheNextTry() throws {
        var (driver, _) = opened()
        var effects = driver.handle(.admitted(link, .train(task), isAsSent: true))
        #expect(!driver.waitsToTryAgain)
        for _ in 0..<2 { effects = driver.handle(.transferred(effects.downloads[0].0)) }
        #expect(effects.contains { if case .train = $0 { true } else { false } } && !driver.waitsToTryAgain)
        _ = driver.handle(.trainingFailed(task, WorkerFailure("diverged")))
        #expect(driver.waitsToTryAgain && driver.problem?.summary == "training failed")
        effects = driver.handle(.due(.retry))
        #expect(!driver.waitsToTryAgain)
        _ = driver.handle(.transferFailed(effects.downloads[0].0, WorkerFailure("cut off")))
        #expect(driver.waitsToTryAgain)
    }

    @Test func whatIsHeardOfAnEarlierTransferIsOfNoUse() throws {
        var (driver, _) = opened()
        let first = driver.handle(.admitted(link, .train(task), isAsSent: true)).downloads[0].0
        _ = driver.handle(.transferFailed(first, WorkerFailure("cut off", kind: .noRoom)))
        #expect(driver.problem?.summary == "the model could not be fetched: the disk is full")
        let second = driver.handle(.due(.retry)).downloads[0].0
        #expect(driver.handle(.transferred(first)).isEmpty && second != first)
        #expect(driver.handle(.transferred(second)).downloads.count == 1)
    }
}

extension [WorkerEffect] {
    fileprivate var admissions: [Assignment] {
        compactMap { if case .admit(_, let assignment, _) = $0 { assignment } else { nil } }
    }
    fileprivate var downloads: [(Int, BlobReference)] {
        compactMap { if case .download(let number, let blob, _) = $0 { (number, blob) } else { nil } }
    }
    fileprivate var uploads: [Int] { compactMap { if case .upload(let number, _) = $0 { number } else { nil } } }
    fileprivate var messages: [(ClientMessage, UInt64)] {
        compactMap { if case .send(_, let message, let id) = $0 { (message, id) } else { nil } }
    }
}
