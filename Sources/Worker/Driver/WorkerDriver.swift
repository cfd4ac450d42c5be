import Federation
import Protocol
import Wire

/// Connects the worker's state machine with I/O, without doing I/O itself: it takes events and returns effects.
///
/// ``WorkerService`` has a clock, a disk, a trainer and connections. It performs the effects in their order, and
/// reports the results as events. A simulator does the same with simulated ones.
package struct WorkerDriver: Sendable {
    package private(set) var machine: WorkerMachine
    /// The signed update for which there is no final answer yet.
    package private(set) var pending: SignedUpdate?
    package internal(set) var problem: SiteProblem?
    /// The reason why the coordinator does not accept the update now; `nil` if it was not asked, or has accepted it.
    package private(set) var postponement: String?
    var link = Link.none
    var requests = RequestMultiplexer<Question>()
    private var transfer: Transfer?
    /// The number of the current transfer; events of earlier transfers are ignored.
    private var transferNumber = 0
    var effects: [WorkerEffect] = []

    /// The control connection.
    enum Link: Sendable {
        case none
        /// The coordinator's ledger is being compared with what this site has seen.
        case opening(Opening)
        /// The ledger was checked, and this site follows assignments.
        case open(LinkID, Welcome)
        /// This site ends the connection, for this reason.
        case leaving(LinkID, WorkerFailure)
    }

    struct Opening: Sendable {
        let id: LinkID
        let welcome: Welcome
        /// The receipts that must still be shown.
        var receipts: [NamedReceipt] = []
        /// An accepted loss, after which the site continues.
        var loss: DeclaredLoss?
        /// The reason why the site leaves after all receipts were shown; `nil` if it stays.
        var departure: (reason: String, failure: WorkerFailure)?
        /// An assignment that arrived before the ledger was checked.
        var heldBack: Assignment?
    }

    enum Question: Sendable {
        case receipt(name: String)
        case submission(SignedUpdate)
    }

    private enum Transfer: Sendable {
        case fetching(TrainingTask, next: Int)
        case keeping(CampaignEnd, BlobReference, isHere: Bool)
        case uploading(PreparedUpdate)
    }

    /// The time limit for an answer. It is long because the coordinator may first read every value of a large update.
    package static let answerMilliseconds = 600_000

    /// - Parameter outbox: The update that an earlier run left in the outbox.
    package init(outbox: SignedUpdate?) {
        pending = outbox
        machine = WorkerMachine(outbox: outbox.map(PreparedUpdate.init))
    }

    /// Whether the work needs a transfer and none is under way: the last try has failed, or there is no link.
    package var waitsToTryAgain: Bool {
        switch machine.work {
        case .fetching, .uploading, .keeping: transfer == nil
        case .resting, .training, .submitting, .finished: false
        }
    }

    // MARK: Events

    package mutating func handle(_ event: WorkerEvent) -> [WorkerEffect] {
        effects = []
        switch event {
        case .started: effects.append(.dial)
        case .connected(let id, let welcome): opening(id, welcome)
        case .disconnected(let failure): disconnected(failure)
        case .historyCompared(let id, let verdict, let receipts): historyCompared(id, verdict, receipts)
        case .memoryFailed(let id, let failure): leave(id, saying: nil, failure)
        case .continuedAfterLoss(let id): continuedAfterLoss(id)
        case .received(let id, let frame): received(id, frame)
        case .admitted(let id, let assignment, let isAsSent): if isOpen(id) { follow(assignment, isAsSent: isAsSent) }
        case .transferred(let number): if number == transferNumber { transferred() }
        case .transferFailed(let number, let failure): if number == transferNumber { transferFailed(failure) }
        case .trained(let task, let update): trained(task, update)
        case .prepared(let task, let update): prepared(task, update)
        case .trainingFailed(let task, let failure): trainingFailed(task, failure)
        case .readyToSubmit(let id, let update, let seenEntries): submit(id, update, seenEntries)
        case .receiptKept(let key, let entry): receiptKept(key, entry)
        case .submissionFailed(let key, let failure): submissionFailed(key, failure)
        case .due(let alarm): due(alarm)
        }
        return effects
    }

    private mutating func due(_ alarm: WorkerAlarm) {
        switch alarm {
        case .connect: effects.append(.dial)
        case .retry: handle(machine: .retryDue)
        case .answer:
            guard case .open(let id, _) = link else { return }
            effects.append(.close(id))
        }
    }

    /// Passes an event to the state machine and performs its effects.
    mutating func handle(machine event: WorkerMachine.Event) {
        let before = machine.work
        let decided = machine.handle(event)
        for effect in decided { perform(effect) }
        guard machine.work != before else { return }
        report(.working(machine.work))
        switch machine.work {
        // A problem of a task is over when the task has ended.
        case .resting, .finished: if case .resting = before {} else { problem = nil }
        default: break
        }
    }

    private mutating func perform(_ effect: WorkerMachine.Effect) {
        switch effect {
        case .connect(let seconds):
            effects.append(.wake(.connect, afterMilliseconds: seconds * 1000, jitter: 500 * max(1, seconds)))
        case .reconnect: if case .open(let id, _) = link { effects.append(.close(id)) }
        case .fetch(let task): begin(.fetching(task, next: 0))
        case .upload(let update): begin(.uploading(update))
        case .keep(let end, let model): begin(.keeping(end, model, isHere: false))
        case .submit(let update): prepareSubmission(update)
        case .train(let task): effects.append(.train(task))
        case .stopTraining: effects.append(.stopTraining)
        case .clearOutbox(let update): clearOutbox(update)
        case .retry(let seconds): effects.append(.wake(.retry, afterMilliseconds: seconds * 1000, jitter: 0))
        }
    }

    mutating func report(_ observation: WorkerObservation) { effects.append(.report(observation)) }

    private mutating func fail(_ what: String, _ key: RoundKey?, _ failure: WorkerFailure) {
        problem = SiteProblem(failure.kind == .noRoom ? "\(what): the disk is full" : what, detail: failure.reason)
        report(.failed(what, key, failure))
    }

    // MARK: Transfers

    private mutating func begin(_ transfer: Transfer) {
        effects.append(.cancel(.retry))
        go(transfer)
    }

    private mutating func go(_ transfer: Transfer) {
        transferNumber += 1
        self.transfer = transfer
        switch transfer {
        case .fetching(let task, let next): effects.append(.download(transferNumber, task.blobs[next], of: task))
        case .keeping(_, let model, isHere: false): effects.append(.download(transferNumber, model, of: nil))
        case .keeping(let end, let model, isHere: true): effects.append(.keepModel(transferNumber, end, model))
        case .uploading(let update):
            guard let pending, pending.manifest.update == update.update else {
                return handle(machine: .updateLost(update.key))
            }
            effects.append(.upload(transferNumber, pending))
        }
    }

    /// Ends the transfer; its later events are ignored. Bytes that have arrived on either side are kept.
    mutating func endTransfer() {
        transferNumber += 1
        transfer = nil
        effects += [.cancel(.retry), .endTransfer]
    }

    private mutating func transferred() {
        guard let done = transfer else { return }
        transfer = nil
        switch done {
        case .fetching(let task, let next):
            guard case .fetching(let current) = machine.work, current == task else { return }
            guard next + 1 == task.blobs.count else { return go(.fetching(task, next: next + 1)) }
            problem = nil
            effects.append(.removeModels(keeping: task.blobs.map(\.digest)))
            handle(machine: .fetched(task.key))
        case .keeping(let end, let model, isHere: false): go(.keeping(end, model, isHere: true))
        case .keeping(let end, _, isHere: true):
            problem = nil
            handle(machine: .kept(end.campaign))
        case .uploading(let update):
            problem = nil
            handle(machine: .uploaded(update.key))
        }
    }

    private mutating func transferFailed(_ failure: WorkerFailure) {
        guard let failed = transfer else { return }
        transfer = nil
        switch failed {
        case .fetching(let task, _):
            fail("the model could not be fetched", task.key, failure)
            handle(machine: .fetchFailed(task.key, failure.reason))
        case .keeping(let end, _, _):
            fail("the final model could not be fetched", nil, failure)
            handle(machine: .keepFailed(end.campaign, failure.reason))
        case .uploading(let update) where failure.kind == .updateLost:
            report(.updateLost(update.key, failure))
            handle(machine: .updateLost(update.key))
        case .uploading(let update):
            fail(
                failure.kind == .notOnRecord
                    ? "the record of what leaves the site cannot be written" : "the upload was interrupted",
                update.key,
                failure
            )
            handle(machine: .uploadFailed(update.key, failure.reason))
        }
    }

    // MARK: Training

    private mutating func trained(_ task: TrainingTask, _ update: TrainedUpdate) {
        guard case .training(let current) = machine.work, current == task else {
            return effects.append(.forgetTraining(round: task.key.round))
        }
        effects.append(.prepare(task, update))
    }

    private mutating func prepared(_ task: TrainingTask, _ update: SignedUpdate) {
        pending = update
        problem = nil
        handle(machine: .trained(PreparedUpdate(update)))
    }

    private mutating func trainingFailed(_ task: TrainingTask, _ failure: WorkerFailure) {
        problem = SiteProblem("training failed", detail: failure.reason)
        report(.trainingFailed(task.key, failure))
        handle(machine: .trainingFailed(task.key, failure.reason))
    }

    private mutating func clearOutbox(_ update: PreparedUpdate) {
        guard let pending, pending.manifest.update == update.update else { return }
        effects.append(.clearOutbox(pending))
        self.pending = nil
    }

    // MARK: Submissions

    private mutating func prepareSubmission(_ update: PreparedUpdate) {
        guard case .open(let id, _) = link, let pending, pending.manifest.update == update.update else { return }
        endTransfer()
        effects.append(.prepareSubmission(id, pending))
    }

    private mutating func submit(_ id: LinkID, _ update: SignedUpdate, _ seenEntries: UInt64) {
        guard isOpen(id), case .submitting(let current) = machine.work, current.update == update.manifest.update else {
            return
        }
        pending = update
        postponement = nil
        effects.append(
            .send(id, .submitUpdate(update, seenEntries: seenEntries), id: requests.add(.submission(update)))
        )
        effects.append(.wake(.answer, afterMilliseconds: Self.answerMilliseconds, jitter: 0))
    }

    /// The coordinator's answer to a submission.
    mutating func answered(_ update: SignedUpdate, _ message: ServerMessage) {
        effects.append(.cancel(.answer))
        guard case .open(let id, let welcome) = link, case .submitting(let current) = machine.work,
            current.update == update.manifest.update
        else { return }
        switch message {
        case .receipt(let receipt, let proof):
            effects.append(.keepReceipt(receipt, proof: proof, of: update, logKey: welcome.logKey))
        case .updateRefused(let refusal) where refusal.reason == .blobMissing:
            problem = nil
            report(.updateMissing(current.key))
            handle(machine: .blobMissing(current.key))
        case .updateRefused(let refusal):
            problem = nil
            report(.updateRefused(current.key, refusal))
            handle(machine: .answered(current.key, accepted: false, reason: "refused: \(refusal.reason.rawValue)"))
        case .refusal(let refusal) where refusal.code == .unavailable:
            // This is no problem of this site: the campaign is paused, or the coordinator has a problem.
            problem = nil
            postponement = "the coordinator accepts no updates now: \(refusal.message)"
            report(.updatePostponed(current.key, refusal.message))
            handle(machine: .submissionFailed(current.key, refusal.message))
        case .refusal(let refusal): submissionFailed(current.key, WorkerFailure(refusal.message, hint: refusal.hint))
        default:
            leave(id, saying: nil, WorkerFailure("the coordinator's answer to a submission has an unexpected type"))
        }
    }

    private mutating func receiptKept(_ key: RoundKey, _ entry: UInt64) {
        problem = nil
        report(.updateAccepted(key, entry: entry))
        handle(machine: .answered(key, accepted: true, reason: "the update was accepted; waiting for the other sites"))
    }

    mutating func submissionFailed(_ key: RoundKey, _ failure: WorkerFailure) {
        guard case .submitting(let current) = machine.work, current.key == key else { return }
        fail("the submission was not answered", key, failure)
        handle(machine: .submissionFailed(key, failure.reason))
    }
}

extension PreparedUpdate {
    package init(_ update: SignedUpdate) {
        let manifest = update.manifest
        self.init(
            campaign: manifest.campaign,
            key: manifest.key,
            model: manifest.model,
            adapter: manifest.adapter,
            update: manifest.update,
            byteCount: manifest.updateByteCount,
            localLoss: manifest.localLoss
        )
    }
}
