import Blobs
import Federation
import Identity
import Ledger
import Wire
import Worker

/// A site: the worker's machine, outbox and store, with simulated links and a simulated trainer.
final class SimulatedSite {
    unowned let world: World
    let index: Int
    let id: SiteID
    let node = Node()
    private var blobs: BlobStore!
    private var outbox: Outbox!
    private(set) var memory: LedgerMemory!
    /// The coordinator's ledger is the one that this site has seen: from then on it works.
    var welcome: Welcome?
    /// A ledger from which an accepted loss goes on, while receipts are compared.
    var goingOn: Welcome?
    /// Receipts that the coordinator is asked for, by the number of the question.
    var presented: [UInt64: String] = [:]
    var heldBack: Assignment?
    private(set) var machine = WorkerMachine()
    private(set) var pending: SignedUpdate?
    private(set) var control: SimulatedLink?
    private var bulk: SimulatedLink?
    private var transfer: Transfer?
    /// Each new transfer, retry, training or connection makes those before it void.
    private var transferNumber = 0
    private var retryNumber = 0
    private var trainingNumber = 0
    var nextMessage: UInt64 = 2
    private var submission: UInt64?
    private lazy var liar = Liar(self)

    private enum Transfer {
        case up(PreparedUpdate, BlobReader)
        case down(TrainingTask, Spool)
        case final(CampaignEnd, Spool)
    }

    init(_ world: World, _ index: Int) throws {
        self.world = world
        self.index = index
        id = Cast.site(index)
        node.disk.skipsSync = world.mistake == .skipSiteSync
    }

    var description: String {
        node.isUp ? "\(id) \(machine.work) \(machine.isConnected ? "connected" : "not connected")".prefix(160).description : "\(id) is down"
    }
    var hasFinished: Bool { if case .finished = machine.work { node.isUp } else { false } }

    // MARK: Life and death

    func start() {
        do {
            blobs = try BlobStore(directory: "blobs", disk: node.disk, checkpointBytes: 64)
            blobs.removeLeftovers()
            outbox = try Outbox(directory: "site", disk: node.disk)
            memory = try LedgerMemory(directory: "site", consortium: world.cast.consortium, disk: node.disk)
            pending = try outbox.load()
        } catch {
            if !node.disk.isDead { world.checker.fail("\(id) cannot start: \(error)") }
            node.disk.processDied()
            return world.schedule(after: 30_000) { self.start() }
        }
        node.isUp = true
        world.checker.restarted(self)
        machine = WorkerMachine(outbox: pending.map(PreparedUpdate.init))
        perform(.connect(afterSeconds: 0))
    }

    func crash(power: Bool) {
        guard node.isUp else { return node.disk.processDied() }
        world.note("\(id) \(power ? "loses power" : "is killed")")
        world.count(power ? "power failures" : "kills")
        node.isUp = false
        node.epoch += 1
        if power { node.disk.powerFailed(&world.random) } else { node.disk.processDied() }
        control?.cut()
        bulk?.cut()
        (control, bulk, transfer, pending) = (nil, nil, nil, nil)
        (welcome, goingOn, heldBack, presented) = (nil, nil, nil, [:])
        world.schedule(after: Int.random(in: 100...1_800_000, using: &world.random)) { self.start() }
    }

    func later(_ milliseconds: Int, _ action: @escaping () -> Void) {
        let epoch = node.epoch
        world.schedule(after: milliseconds) { if self.node.isUp, self.node.epoch == epoch { action() } }
    }

    // MARK: The machine

    func handle(_ event: WorkerMachine.Event) {
        guard !node.disk.isDead else { return }
        for effect in machine.handle(event) { perform(effect) }
    }

    private func perform(_ effect: WorkerMachine.Effect) {
        switch effect {
        case .connect(let seconds): later(seconds * 1000 + Int.random(in: 0...500 * max(1, seconds), using: &world.random)) { self.connect() }
        case .reconnect: leave()
        case .fetch(let task): carry { self.fetch(task) }
        case .keep(let end, let model): carry { self.keep(end, model) }
        case .upload(let update): carry { self.upload(update) }
        case .submit(let update): submit(update)
        case .train(let task): train(task)
        case .stopTraining: trainingNumber += 1
        case .clearOutbox:
            outbox.clear()
            pending = nil
        case .retry(let seconds):
            retryNumber += 1
            let number = retryNumber
            later(seconds * 1000) { if number == self.retryNumber { self.handle(.retryDue) } }
        }
    }

    // MARK: Links

    private var isCutOff: Bool { !world.coordinator.node.isUp || (world.partitions[index].map { $0 > world.now } ?? false) }

    private func connect() {
        later(2 * world.latency()) {
            guard !self.isCutOff else { return self.handle(.disconnected) }
            let link = SimulatedLink(self.world, self, .control, treeHead: self.memory.treeHead)
            self.control = link
            self.world.coordinator.accept(link)
        }
    }

    /// A bulk connection for one transfer.
    private func carry(_ begin: @escaping () -> Void) {
        transferNumber += 1
        retryNumber += 1
        let number = transferNumber
        endTransfer()
        later(2 * world.latency()) {
            guard number == self.transferNumber else { return }
            begin()
            guard self.transfer != nil else { return }
            guard !self.isCutOff else { return self.transferFailed("unreachable") }
            let link = SimulatedLink(self.world, self, .bulk)
            self.bulk = link
            self.world.coordinator.accept(link)
        }
    }

    private func endTransfer() {
        switch transfer {
        case .down(_, let spool), .final(_, let spool): try? spool.checkpoint()
        case .up, nil: break
        }
        transfer = nil
        bulk?.closeFromSite()
        bulk = nil
    }

    func leave() {
        guard let link = control else { return }
        link.closeFromSite()
        lost(link)
    }

    func lost(_ link: SimulatedLink) {
        if link === control {
            control = nil
            (welcome, goingOn, heldBack, presented) = (nil, nil, nil, [:])
            if let lost = submission { submissionFailed(lost) }
            handle(.disconnected)
        } else if link === bulk {
            transferFailed("the link broke")
        }
    }

    private func transferFailed(_ reason: String) {
        let failed = transfer
        endTransfer()
        switch failed {
        case .up(let update, _): handle(.uploadFailed(update.key, reason))
        case .down(let task, _): handle(.fetchFailed(task.key, reason))
        case .final(let end, _): handle(.keepFailed(end.campaign, reason))
        case nil: break
        }
    }

    func receive(_ frame: ServerFrame, on link: SimulatedLink) {
        if link === control { return hear(frame) }
        guard link === bulk else { return liar.hear(frame, on: link) }
        switch (frame.message, transfer) {
        case (.welcome, .up(let update, let reader)): link.sendUp(.offerBlob(update.update, byteCount: reader.byteCount), id: 2)
        case (.welcome, .down(_, let spool)), (.welcome, .final(_, let spool)): link.sendUp(.fetchBlob(spool.digest, offset: spool.receivedBytes), id: 2)
        case (.blobProgress(let durable, let complete), .up(let update, let reader)):
            if complete {
                endTransfer()
                if let pending { world.sites.forEach { if $0 !== self { $0.liar.overhear(pending) } } }
                return handle(.uploaded(update.key))
            }
            if frame.inReplyTo == 2 { sendChunks(reader, from: durable, link) }
        case (.blobChunk(let chunk), .down(let task, let spool)):
            if take(chunk, spool) { fetched(task) }
        case (.blobChunk(let chunk), .final(let end, let spool)):
            if take(chunk, spool) {
                endTransfer()
                handle(.kept(end.campaign))
            }
        case (.refusal(let refusal), _): transferFailed(refusal.message)
        default: break
        }
    }

    private func hear(_ frame: ServerFrame) {
        switch frame.message {
        case .welcome(let welcome): judge(welcome)
        case .assignment(let assignment): if welcome != nil { follow(assignment) } else { heldBack = assignment }
        case .receiptSeen(let isHeld): seen(frame.inReplyTo, isHeld)
        case .receipt(let receipt, let proof) where frame.inReplyTo == submission: answered(receipt, proof)
        case .updateRefused(let refusal) where frame.inReplyTo == submission: refused(refusal)
        case .refusal where presented[frame.inReplyTo] != nil: leave()
        case .refusal where frame.inReplyTo == submission: submissionFailed(frame.inReplyTo)
        default: break
        }
    }

    // MARK: The life of an update

    private func fetch(_ task: TrainingTask) {
        do {
            for blob in task.blobs {
                let spool = try blobs.spool(blob.digest, byteCount: blob.byteCount)
                if !spool.isComplete { return transfer = .down(task, spool) }
                do { try blobs.verify(blob.digest) } catch {
                    blobs.remove(blob.digest)
                    throw error
                }
            }
            handle(.fetched(task.key))
        } catch {
            handle(.fetchFailed(task.key, "\(error)"))
        }
    }

    private func keep(_ end: CampaignEnd, _ model: BlobReference) {
        do {
            let spool = try blobs.spool(model.digest, byteCount: model.byteCount)
            if spool.isComplete { return handle(.kept(end.campaign)) }
            transfer = .final(end, spool)
        } catch {
            handle(.keepFailed(end.campaign, "\(error)"))
        }
    }

    /// Whether the blob is whole now.
    private func take(_ chunk: BlobChunk, _ spool: Spool) -> Bool {
        do {
            try chunk.payload.withUnsafeBytes { _ = try spool.append($0, at: chunk.offset) }
        } catch {
            transferFailed("\(error)")
            return false
        }
        return spool.isComplete
    }

    private func fetched(_ task: TrainingTask) {
        endTransfer()
        let needed = task.blobs.map(\.digest)
        for digest in (try? blobs.all()) ?? [] where !needed.contains(digest) && digest != pending?.manifest.update { blobs.remove(digest) }
        if needed.allSatisfy(blobs.contains) { handle(.fetched(task.key)) } else { carry { self.fetch(task) } }
    }

    private func train(_ task: TrainingTask) {
        trainingNumber += 1
        let number = trainingNumber
        liar.tempt(task)
        later(Int.random(in: world.scenario.trainingSeconds, using: &world.random) * 1000) {
            guard number == self.trainingNumber, case .training(let current) = self.machine.work, current == task else { return }
            do {
                let honest = Honest(self.index, task)
                let update = try self.sign(self.blobs.store(honest.file(honest.values)), task, samples: honest.samples)
                self.world.checker.prepared(update, by: self)
                try self.outbox.store(update)
                self.pending = update
                self.world.checker.trained(update, by: self)
                self.handle(.trained(PreparedUpdate(update)))
            } catch {
                self.handle(.trainingFailed(task.key, "\(error)"))
            }
        }
    }

    func sign(_ blob: (digest: Digest, byteCount: UInt64), _ task: TrainingTask, samples: UInt32, as site: SiteID? = nil, round: Int? = nil) throws
        -> SignedUpdate
    {
        let manifest = UpdateManifest(
            campaign: task.campaign, key: RoundKey(round: round ?? task.key.round, attempt: task.key.attempt), site: site ?? id,
            model: task.model.digest, adapter: task.adapter?.digest, update: blob.digest, updateByteCount: blob.byteCount, layout: task.model.layout,
            samples: samples,
            localLoss: 0.5, createdAt: world.timestamp(node.clockOffset))
        let bytes = manifest.wireBytes
        let (certificate, key) = world.cast.sites[index]
        return SignedUpdate(
            manifest: manifest, manifestBytes: bytes, signature: try key.sign(SignedUpdate.statement(bytes)), certificate: certificate.der)
    }

    private func upload(_ update: PreparedUpdate) {
        do {
            try blobs.verify(update.update)
            transfer = .up(update, try BlobReader(blobs, update.update))
        } catch {
            blobs.remove(update.update)
            world.checker.lostUpdate(of: self)
            handle(.updateLost(update.key))
        }
    }

    private func sendChunks(_ reader: BlobReader, from start: UInt64, _ link: SimulatedLink) {
        var offset = start
        while offset < reader.byteCount {
            guard let payload = try? Payload(capacity: min(64, Int(reader.byteCount - offset)), fill: { try reader.read(into: $0, at: offset) }) else { return }
            link.sendUp(.blobChunk(BlobChunk(offset: offset, payload: payload)), id: 3)
            offset += UInt64(payload.count)
        }
    }

    private func submit(_ update: PreparedUpdate) {
        guard let control, let signed = pending, signed.manifest.update == update.update else { return }
        nextMessage += 1
        submission = nextMessage
        control.sendUp(.submitUpdate(signed, seenEntries: memory.seenEntries), id: nextMessage)
        if world.mistake == .forgetUnanswered {
            outbox.clear()
            world.count("updates forgotten")
        }
    }

    private func answered(_ receipt: Receipt, _ proof: [Digest]) {
        guard case .submitting(let update) = machine.work, let signed = pending else { return }
        do {
            try receipt.verify(consortium: world.cast.consortium, logKey: world.cast.logKeyBytes, update: signed)
            try memory.keep(receipt, consistencyProof: proof, of: signed, logKey: world.cast.logKeyBytes)
        } catch {
            if error is LedgerError { world.checker.fail("\(id) got a receipt that does not hold: \(error)") }
            return submissionFailed(submission ?? 0)
        }
        submission = nil
        world.checker.heard(receipt, by: self)
        handle(.answered(update.key, accepted: true, reason: "in"))
    }

    private func refused(_ refusal: UpdateRefusal) {
        guard case .submitting(let update) = machine.work else { return }
        submission = nil
        if refusal.reason == .blobMissing { return handle(.blobMissing(update.key)) }
        world.checker.refused(self)
        handle(.answered(update.key, accepted: false, reason: refusal.reason.rawValue))
    }

    private func submissionFailed(_ number: UInt64) {
        guard submission == number else { return }
        submission = nil
        if case .submitting(let update) = machine.work { handle(.submissionFailed(update.key, "no answer")) }
    }

    func cutLinks() {
        control?.cut()
        bulk?.cut()
    }

    func sayOnControl(_ message: ClientMessage) { control?.sendUp(message, id: 1_000_000) }
}
