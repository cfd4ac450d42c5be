import Blobs
import Federation
import Identity
import Ledger
import Protocol
import Wire
import Worker

/// The simulated shell of a worker's driver: links, disk, clock and trainer.
final class SimulatedSite {
    unowned let world: World
    let index: Int
    let id: SiteID
    let node = Node()
    private(set) var blobs: BlobStore!
    private(set) var outbox: Outbox!
    private(set) var memory: LedgerMemory!
    private(set) var driver = WorkerDriver(outbox: nil)
    private(set) var control: (id: LinkID, link: SimulatedLink)?
    var transfer: SimulatedTransfer?
    private var numbers: UInt64 = 0
    /// For each alarm, the number of the newest setting, which is the only valid one.
    private var alarms: [WorkerAlarm: UInt64] = [:]
    private var training: UInt64 = 0
    private(set) lazy var byzantine = ByzantineSite(self)

    init(_ world: World, _ index: Int) throws {
        self.world = world
        self.index = index
        id = SimulationFixture.site(index)
        node.disk.skipsSync = world.mistake == .skipSiteSync
    }

    var pending: SignedUpdate? { driver.pending }
    var description: String {
        guard node.isUp else { return "\(id) is down" }
        return "\(id) \(driver.machine.work) \(driver.machine.isConnected ? "connected" : "not connected")".prefix(160)
            .description
    }
    var hasFinished: Bool { if case .finished = driver.machine.work { node.isUp } else { false } }

    // MARK: Life and death

    func start() {
        do {
            blobs = BlobStore(try FileBlobs(directory: "blobs", disk: node.disk), checkpointBytes: 64)
            blobs.removeLeftovers()
            outbox = try Outbox(directory: "site", disk: node.disk)
            memory = try LedgerMemory(directory: "site", consortium: world.fixture.consortium, disk: node.disk)
            driver = WorkerDriver(outbox: try outbox.load())
        } catch {
            if !node.disk.isDead { world.checker.fail("\(id) cannot start: \(error)") }
            node.disk.processDied()
            return world.schedule(after: 30_000) { self.start() }
        }
        node.isUp = true
        world.checker.restarted(self)
        handle(.started)
    }

    func crash(power: Bool) {
        guard node.isUp else { return node.disk.processDied() }
        world.trace("\(id) \(power ? "loses power" : "is killed")")
        world.count(power ? "power failures" : "kills")
        node.isUp = false
        node.epoch += 1
        if power { node.disk.powerFailed(&world.random) } else { node.disk.processDied() }
        cutLinks()
        (control, transfer, alarms) = (nil, nil, [:])
        driver = WorkerDriver(outbox: nil)
        world.schedule(after: Int.random(in: 100...1_800_000, using: &world.random)) { self.start() }
    }

    func later(_ milliseconds: Int, _ action: @escaping () -> Void) {
        let epoch = node.epoch
        world.schedule(after: milliseconds) { if self.node.isUp, self.node.epoch == epoch { action() } }
    }

    func nextNumber() -> UInt64 {
        numbers += 1
        return numbers
    }

    // MARK: The driver

    func handle(_ event: WorkerEvent) {
        guard node.isUp, !node.disk.isDead else { return }
        for effect in driver.handle(event) {
            guard !node.disk.isDead else { return }
            perform(effect)
        }
    }

    private func perform(_ effect: WorkerEffect) {
        switch effect {
        case .wake(let alarm, let milliseconds, let jitter): wake(alarm, milliseconds, jitter)
        case .cancel(let alarm): alarms[alarm] = nil
        case .dial: dial()
        case .close(let id): close(id)
        case .send(let id, let message, let number): send(id, message, number)
        case .compareHistory(let id, let welcome): withMemory(id) { try self.compareHistory(id, welcome) }
        case .setAside(let name):
            do {
                try memory.setAside(name)
                world.checker.setAside(self)
            } catch { memoryFailed(error) }
        case .continueAfterLoss(let id, let welcome):
            withMemory(id) {
                try self.memory.continueAfterLoss(welcome)
                return .continuedAfterLoss(id)
            }
        case .storeLoss(let loss):
            do { try memory.storeProposed(loss) } catch { memoryFailed(error) }
            // After some time an engineer reads the declaration and accepts it.
            later(Int.random(in: 60_000...3_600_000, using: &world.random)) { try? self.memory.accept(loss) }
        case .admit(let id, let assignment, let logKey):
            let admitted = memory.admitted(assignment, site: self.id, logKey: logKey)
            later(0) { self.handle(.admitted(id, admitted, isAsSent: admitted == assignment)) }
        case .download, .upload, .keepModel, .endTransfer: transfer(effect)
        case .removeModels(let kept):
            for digest in (try? blobs.all()) ?? [] where !kept.contains(digest) && digest != pending?.manifest.update {
                blobs.remove(digest)
            }
        case .train(let task): train(task)
        case .stopTraining: training += 1
        case .prepare(let task, let update): prepare(task, update)
        case .forgetTraining: break
        case .prepareSubmission(let id, let update):
            let seen = memory.seenEntries
            later(0) { self.handle(.readyToSubmit(id, update, seenEntries: seen)) }
        case .keepReceipt(let receipt, let proof, let update, let logKey): keep(receipt, proof, update, logKey)
        case .clearOutbox: outbox.clear()
        case .report(let observation): observe(observation)
        }
    }

    private func wake(_ alarm: WorkerAlarm, _ milliseconds: Int, _ jitter: Int) {
        let number = nextNumber()
        alarms[alarm] = number
        later(milliseconds + (jitter > 0 ? Int.random(in: 0...jitter, using: &world.random) : 0)) {
            if self.alarms[alarm] == number { self.handle(.due(alarm)) }
        }
    }

    private func observe(_ observation: WorkerObservation) {
        switch observation {
        case .connected(let welcome): world.checker.connected(self, welcome.treeHead)
        case .updateRefused: world.checker.refused(self)
        case .updateLost: world.checker.lostUpdate(of: self)
        default: break
        }
    }

    // MARK: Memory

    private func withMemory(_ id: LinkID, _ body: () throws -> WorkerEvent) {
        let event: WorkerEvent
        do { event = try body() } catch {
            if !node.disk.isDead { world.trace("\(self.id) cannot judge the ledger: \(error)") }
            event = .memoryFailed(id, WorkerFailure("\(error)"))
        }
        later(0) { self.handle(event) }
    }

    private func memoryFailed(_ error: any Error) {
        guard let id = control?.id else { return }
        later(0) { self.handle(.memoryFailed(id, WorkerFailure("\(error)"))) }
    }

    private func compareHistory(_ id: LinkID, _ welcome: Welcome) throws -> WorkerEvent {
        try memory.pin(welcome.logKey)
        let verdict = try memory.compareHistory(welcome)
        if case .isBehind = verdict, world.mistake == .forgetHistory {
            try memory.continueAfterLoss(welcome)
            return .historyCompared(id, .extends, receipts: [])
        }
        return .historyCompared(id, verdict, receipts: memory.receipts(for: verdict))
    }

    private func keep(_ receipt: Receipt, _ proof: [Digest], _ update: SignedUpdate, _ logKey: [UInt8]) {
        let event: WorkerEvent
        do {
            try receipt.verify(consortium: world.fixture.consortium, logKey: logKey, update: update)
            try memory.keep(receipt, consistencyProof: proof, of: update, logKey: logKey)
            world.checker.receiptKept(receipt, by: self)
            event = .receiptKept(update.manifest.key, entry: receipt.index)
        } catch {
            if error is LedgerError { world.checker.fail("\(id) got a receipt that does not hold: \(error)") }
            event = .submissionFailed(update.manifest.key, WorkerFailure("\(error)"))
        }
        later(0) { self.handle(event) }
    }

    // MARK: Links

    var isCutOff: Bool { !world.coordinator.node.isUp || (world.partitions[index].map { $0 > world.now } ?? false) }

    private func dial() {
        later(2 * world.latency()) {
            guard !self.isCutOff else { return self.handle(.disconnected(WorkerFailure("unreachable"))) }
            let link = SimulatedLink(self.world, self, .control, treeHead: self.memory.treeHead)
            self.control = (LinkID(self.nextNumber()), link)
            self.world.coordinator.accept(link)
        }
    }

    private func close(_ id: LinkID) {
        guard let control, control.id == id else { return }
        control.link.closeFromSite()
        lost(control.link)
    }

    func lost(_ link: SimulatedLink) {
        if link === control?.link {
            control = nil
            later(0) { self.handle(.disconnected(WorkerFailure("the link broke"))) }
        } else if link === transfer?.link {
            transferFailed("the link broke")
        }
    }

    private func send(_ id: LinkID, _ message: ClientMessage, _ number: UInt64) {
        guard let control, control.id == id else { return }
        control.link.sendUp(message, id: number)
        if case .submitUpdate = message, world.mistake == .forgetUnanswered {
            outbox.clear()
            world.count("updates forgotten")
        }
    }

    func receive(_ frame: ServerFrame, on link: SimulatedLink) {
        if let control, control.link === link {
            if case .welcome(let welcome) = frame.message { return handle(.connected(control.id, welcome)) }
            return handle(.received(control.id, frame))
        }
        if link === transfer?.link { handle(frame.message) } else { byzantine.handle(frame, on: link) }
    }

    func cutLinks() {
        control?.link.cut()
        transfer?.link?.cut()
    }

    func sendOnControl(_ message: ClientMessage) { control?.link.sendUp(message, id: 1_000_000) }

    // MARK: Training

    private func train(_ task: TrainingTask) {
        training += 1
        let number = training
        byzantine.attack(task)
        later(Int.random(in: world.scenario.trainingSeconds, using: &world.random) * 1000) {
            guard number == self.training else { return }
            do {
                let honest = Honest(self.index, task)
                let blob = try self.blobs.store(honest.file(honest.values))
                self.handle(
                    .trained(
                        task,
                        TrainedUpdate(
                            digest: blob.digest,
                            byteCount: blob.byteCount,
                            samples: honest.samples,
                            loss: 0.5
                        )
                    )
                )
            } catch {
                self.handle(.trainingFailed(task, WorkerFailure("\(error)")))
            }
        }
    }

    private func prepare(_ task: TrainingTask, _ trained: TrainedUpdate) {
        do {
            let update = try sign((trained.digest, trained.byteCount), task, samples: trained.samples)
            world.checker.prepared(update, by: self)
            try outbox.store(update)
            world.checker.trained(update, by: self)
            handle(.prepared(task, update))
        } catch {
            handle(.trainingFailed(task, WorkerFailure("\(error)")))
        }
    }

    func sign(
        _ blob: (digest: Digest, byteCount: UInt64),
        _ task: TrainingTask,
        samples: UInt32,
        as site: SiteID? = nil,
        round: Int? = nil
    ) throws
        -> SignedUpdate
    {
        let manifest = UpdateManifest(
            campaign: task.campaign,
            key: RoundKey(round: round ?? task.key.round, attempt: task.key.attempt),
            site: site ?? id,
            model: task.model.digest,
            adapter: task.adapter?.digest,
            update: blob.digest,
            updateByteCount: blob.byteCount,
            layout: task.model.layout,
            samples: samples,
            localLoss: 0.5,
            createdAt: world.timestamp(node.clockOffset)
        )
        let bytes = manifest.wireBytes
        let (certificate, key) = world.fixture.sites[index]
        return SignedUpdate(
            manifest: manifest,
            manifestBytes: bytes,
            signature: try key.sign(SignedUpdate.statement(bytes)),
            certificate: certificate.der
        )
    }
}
