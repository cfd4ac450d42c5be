import Blobs
import Coordinator
import Federation
import Ledger
import Wire

/// The coordinator's core, ledger, store, inspection and aggregation, with simulated links around them.
final class SimulatedCoordinator {
    unowned let world: World
    let node: Node
    let store: SimulatedEntryStore
    private let model: [UInt8]
    private(set) var core: CoordinatorCore!
    private(set) var blobs: BlobStore!
    private(set) var incoming: IncomingBlobs!
    private var sweeper: BlobSweeper!
    private var presence: [SiteID: SimulatedLink] = [:]
    /// The upload that each link carries.
    var spools: [ObjectIdentifier: (link: SimulatedLink, spool: Spool)] = [:]
    private var timer = 0
    private var isRecovering = false
    /// What sites have seen and the ledger lacks.
    private var recovery: LedgerRecovery?
    /// Until enough sites have said what they have seen.
    private(set) var hearing: SiteHearing?
    /// Links of sites that show what is missing.
    private var showing: [SimulatedLink] = []
    private var backup: (disk: [String: [UInt8]], store: SimulatedEntryStore.Backup)?

    init(_ world: World, model: [UInt8]) throws {
        self.world = world
        self.model = model
        node = Node()
        store = SimulatedEntryStore(node.disk, syncs: world.mistake != .acknowledgeBeforeSync)
        try found()
    }

    var now: Timestamp { world.timestamp(node.clockOffset) }
    var machine: CoordinatorMachine { core.machine }
    var description: String {
        guard node.isUp, let campaign = machine.state.campaign else { return "the coordinator is down" }
        return "round \(campaign.round.key) is \(campaign.round.phaseName), \(presence.count) sites present"
            + (campaign.pause == nil ? "" : ", paused") + (recovery.map { ", lacking entries up to \($0.newest.head.size)" } ?? "")
    }

    private func found() throws {
        let blobs = try BlobStore(directory: "blobs", disk: node.disk, checkpointBytes: 64)
        try blobs.store(model)
        let ledger = try Ledger(consortium: world.cast.consortium, store: store, key: world.cast.logKey)
        try ledger.append([
            Entry(at: now, .founded(world.cast.founding)), Entry(at: now, .modelRegistered(world.scenario.plan.base, world.scenario.plan.model!, by: "")),
        ])
        try ledger.reload()
        core = CoordinatorCore(ledger: ledger)
        _ = try core.decide { try $0.open(world.scenario.plan, by: "operator/sim", at: now) }
        store.settle()
        node.disk.skipsSync = world.mistake == .skipUploadSync
    }

    // MARK: Life and death

    func start() {
        do {
            blobs = try BlobStore(directory: "blobs", disk: node.disk, checkpointBytes: 64)
            blobs.removeLeftovers()
            incoming = IncomingBlobs(blobs)
            sweeper = BlobSweeper(blobs, incoming)
            core = CoordinatorCore(ledger: try Ledger(consortium: world.cast.consortium, store: store, key: world.cast.logKey))
        } catch {
            // A ledger that does not open is for the checker; a disk that died again, for the next start.
            if !node.disk.isDead { world.checker.fail("the coordinator cannot start: \(error)") }
            node.disk.processDied()
            return world.schedule(after: 30_000) { self.start() }
        }
        node.isUp = true
        (isRecovering, recovery) = (false, nil)
        world.note("coordinator starts, \(core.ledger.count) entries")
        // It may have died between taking an update in and giving up the site's own copy.
        for place in incoming.settle(machine.state, blobs) { world.checker.discarded(place.digest, of: place.site) }
        world.checker.restarted()
        guard world.mistake != .forgetUnderWay else { return scheduleTick() }
        hearing = SiteHearing(machine.state.campaign, at: now)
        later(Int(CoordinatorLimits.patientMilliseconds)) {
            self.hearing?.losePatience()
            self.endHearingIfOver()
        }
        later(Int(CoordinatorLimits.hearingMilliseconds)) { self.endHearing() }
        resume()
    }

    private func endHearingIfOver() {
        if let hearing, hearing.isOver(machine.state.campaign) { endHearing() }
    }

    private func endHearing() {
        guard hearing != nil else { return }
        hearing = nil
        resume()
    }

    func crash(power: Bool) {
        guard node.isUp else { return node.disk.processDied() }
        world.note("coordinator \(power ? "loses power" : "is killed")")
        world.count(power ? "power failures" : "kills")
        node.isUp = false
        node.epoch += 1
        if power {
            node.disk.powerFailed(&world.random)
            store.powerFailed()
        } else {
            node.disk.processDied()
        }
        for link in presence.values.sorted(by: { $0.site.index < $1.site.index }) { link.cut() }
        for (link, _) in spools.values.sorted(by: { $0.link.site.index < $1.link.site.index }) { link.cut() }
        for link in showing { link.cut() }
        (presence, spools, showing) = ([:], [:], [])
        world.schedule(after: Int.random(in: 100...600_000, using: &world.random)) { self.start() }
    }

    /// Runs later, if the coordinator has not died by then.
    func later(_ milliseconds: Int, _ action: @escaping () -> Void) {
        let epoch = node.epoch
        world.schedule(after: milliseconds) { if self.node.isUp, self.node.epoch == epoch { action() } }
    }

    // MARK: Links

    func accept(_ link: SimulatedLink) {
        let standing = core.ledger.standing(of: link.treeHead, losses: machine.state.losses)
        var proof: [Digest] = []
        if case .extends(let found) = standing { proof = found }
        var loss = machine.state.losses.last
        if case .lossDeclared(let declared) = standing { loss = declared }
        link.sendDown(
            .welcome(
                Welcome(
                    version: 1, consortium: world.cast.consortium, time: now, heartbeatSeconds: 5, chunkBytes: 64, logKey: world.cast.logKeyBytes,
                    logKeySignature: world.cast.founding.logKeySignature, treeHead: core.ledger.head.note, consistencyProof: proof,
                    loss: loss.flatMap { try? core.ledger.receipt(of: $0.index) })), inReplyTo: 1)
        guard link.purpose == .control else { return }
        if case .isBehind(let head) = standing, world.mistake != .goOnFromBackup {
            showing.append(link)
            return noteMissing(head)
        }
        let former = presence[link.site.id]
        presence[link.site.id] = link
        former?.closeFromCoordinator()
        hearing?.note(link.site.id)
        endHearingIfOver()
        handle(.arrived(link.site.id))
        assign(link)
    }

    func lost(_ link: SimulatedLink) {
        showing.removeAll { $0 === link }
        if let (_, spool) = spools.removeValue(forKey: ObjectIdentifier(link)) { try? spool.checkpoint() }
        guard presence[link.site.id] === link else { return }
        presence[link.site.id] = nil
        handle(.left(link.site.id))
    }

    func receive(_ frame: ClientFrame, on link: SimulatedLink) {
        switch frame.message {
        case .submitUpdate(let update, let seenEntries): submit(update, seenEntries, frame.id, link)
        case .presentReceipt(let receipt): take(receipt, frame.id, link)
        case .offerBlob(let digest, let byteCount): receive(digest, byteCount, frame.id, link)
        case .blobChunk(let chunk): take(chunk, frame.id, link)
        case .fetchBlob(let digest, let offset): send(digest, from: offset, frame.id, link)
        default: break
        }
    }

    func refuse(_ refusal: Refusal, _ id: UInt64, _ link: SimulatedLink) { link.sendDown(.refusal(refusal), inReplyTo: id) }

    // MARK: Decisions and effects

    private func resume() {
        guard hearing == nil else { return }
        let present = Set(presence.keys)
        decide { try $0.resume(at: $1, present: present) }
    }

    func handle(_ event: CoordinatorMachine.Event) {
        guard hearing == nil else { return }
        decide { try $0.handle(event, at: $1) }
    }

    func decide(_ decision: (CoordinatorCore, Timestamp) throws -> [CoordinatorMachine.Effect]) {
        guard !node.disk.isDead else { return }
        guard recovery == nil else { return scheduleRecovery() }
        do {
            perform(try decision(core, now))
            scheduleTick()
        } catch {
            world.note("the ledger cannot be written: \(error)")
            scheduleRecovery()
        }
    }

    private func perform(_ effects: [CoordinatorMachine.Effect]) {
        guard !node.disk.isDead else { return }
        for effect in effects {
            switch effect {
            case .record(let entry): recorded(entry)
            case .answer: break
            case .aggregate(let task): aggregate(task)
            case .remove(let digests):
                for digest in digests {
                    blobs.remove(digest)
                    world.checker.discarded(digest)
                }
                world.count("prunings")
            case .assign(let site): if let link = presence[site] { assign(link) }
            case .announce: announce()
            case .fault(let violation): world.checker.fail("the coordinator decided an entry that \(violation.message)")
            }
        }
    }

    private func announce() {
        for (_, link) in presence.sorted(by: { $0.key < $1.key }) { assign(link) }
    }

    private func assign(_ link: SimulatedLink) {
        guard recovery == nil else { return link.sendDown(.assignment(.rest(reason: "the ledger lacks entries"))) }
        guard hearing == nil else { return }
        var assignment = machine.assignment(for: link.site.id)
        if case .train(let task) = assignment, let index = machine.state.campaign?.lostUpdates[link.site.id],
            let proof = try? core.ledger.receipt(of: index)
        {
            assignment = .train(task.asking(because: proof))
        }
        link.sendDown(.assignment(assignment))
    }

    private func recorded(_ entry: Entry) {
        world.checker.recorded(entry)
        switch entry.body {
        case .roundCommitted, .roundAbandoned:
            let wasAbandoned = if case .roundAbandoned = entry.body { true } else { false }
            for place in (try? sweeper.sweep(needed: machine.state.neededBlobs, wasAbandoned: wasAbandoned)) ?? [] {
                world.checker.discarded(place.digest, of: place.site)
            }
        default: break
        }
    }

    private func aggregate(_ task: AggregationTask) {
        later(Int.random(in: 10...60_000, using: &world.random)) {
            let spoilt = self.world.checker.spoil(task)
            switch RoundAggregation(blobs: self.blobs, threads: 1).attempt(spoilt) {
            case .done(let result): self.handle(.aggregated(task.key, self.world.mistake == .sumInOrderOfArrival ? self.sumFloats(task) ?? result : result))
            case .lost(let reason, let sites):
                self.world.count("damaged updates found")
                for lost in task.contributions where sites.contains(lost.site) {
                    self.incoming.remove(lost.update, of: lost.site)
                    self.world.checker.discarded(lost.update, of: lost.site)
                }
                self.handle(.aggregationFailed(task.key, reason, without: sites))
            case .blocked: self.later(5000) { self.aggregate(task) }
            }
        }
    }

    /// The mistake: float32 sums, which depend on the order.
    private func sumFloats(_ task: AggregationTask) -> GlobalState? {
        func values(_ digest: Digest) -> [Float] { Tiny.values(node.disk.bytes(blobs.path(of: digest)) ?? []) }
        guard !task.strategy.hasServerState, task.training.lora == nil, task.training.compression == .none else { return nil }
        var sum = [Float](repeating: 0, count: Tiny.parameters)
        for contribution in task.contributions.shuffled(using: &world.random) {
            for (index, value) in values(contribution.update).enumerated() { sum[index] += Float(contribution.weight) * value }
        }
        let rate = Float(task.strategy.learningRate) / Float(task.totalWeight)
        let next = zip(values(task.start.model), sum).map { $0 + rate * $1 }
        guard let (digest, byteCount) = try? blobs.store(Tiny.file(next)) else { return nil }
        return GlobalState(model: digest, modelByteCount: byteCount, serverState: nil)
    }

    // MARK: Faults

    /// A byte of an update that was taken in goes bad on the disk.
    func rot() {
        guard node.isUp, case .collecting(let collection)? = machine.state.campaign?.round.phase else { return }
        let digests = collection.accepted.values.map(\.update.manifest.update).sorted()
        guard let digest = digests.randomElement(using: &world.random) else { return }
        if node.disk.rot(blobs.path(of: digest), &world.random) { world.count("bytes rotted") }
    }

    // MARK: Operators

    var hasEnded: Bool { node.isUp && machine.state.campaign?.end != nil }

    /// Whether an operator's change is in the ledger, as far as the coordinator says.
    func change(_ change: CampaignChange) -> Bool {
        switch (change.action, world.mistake) {
        case (.stop, .forgetStop), (.pause, .forgetPause): return true
        case (.amend(let amendment), .forgetAmendment) where !amendment.droppedSites.isEmpty: return true
        default: break
        }
        guard hearing == nil else { return false }
        var isDone = false
        decide { core, now in
            do {
                let effects = try core.decide { try $0.change(change, at: now) }
                isDone = true
                return effects
            } catch is LedgerViolation {
                return []
            }
        }
        return isDone && !node.disk.isDead
    }

    // MARK: Backups

    func takeBackup() {
        guard node.isUp, !node.disk.isDead else { return }
        backup = (node.disk.backup, store.backup)
    }

    /// Somebody puts an older copy of the whole data directory in place.
    func restoreBackup() {
        guard let backup, node.isUp, store.backup.count > backup.store.count else { return }
        crash(power: false)
        world.note("a backup of \(backup.store.count) entries is restored")
        world.count("backups restored")
        node.disk.restore(backup.disk)
        store.restore(backup.store)
        world.checker.backupRestored()
    }

    private func noteMissing(_ head: SignedTreeHead) {
        if recovery == nil {
            world.note("the ledger of \(core.ledger.count) entries lacks some that a site has seen")
            announce()
            // The operator waits for receipts, and then declares the loss.
            later(Int.random(in: 600_000...7_200_000, using: &world.random)) { self.declareLoss() }
        }
        var recovery = recovery ?? LedgerRecovery(head)
        recovery.note(head)
        self.recovery = recovery
    }

    private func take(_ receipt: Receipt, _ id: UInt64, _ link: SimulatedLink) {
        if recovery != nil, !holds(receipt) {
            do {
                try recovery!.note(receipt, ledger: core.ledger)
                if let lost = recovery!.restorable(core.ledger) {
                    try core.restore(lost)
                    world.count("entries restored")
                    if recovery!.isComplete(core.ledger) { historyIsWhole() }
                }
            } catch {
                return refuse(Refusal(.unavailable, "\(error)"), id, link)
            }
        }
        link.sendDown(.receiptSeen(isHeld: holds(receipt)), inReplyTo: id)
    }

    private func holds(_ receipt: Receipt) -> Bool {
        receipt.index < core.ledger.count && (try? core.ledger.entry(at: Int(receipt.index)).wireBytes) == receipt.entry
    }

    private func historyIsWhole() {
        recovery = nil
        world.checker.historyIsWhole()
        resume()
        announce()
    }

    private func declareLoss() {
        guard let recovery else { return }
        let loss = LossDeclaration(
            lostTreeHead: recovery.newest.note, keptEntries: UInt64((try? recovery.keptEntries(core.ledger)) ?? 0), reason: "a disk was lost",
            declaredBy: "operator/sim")
        self.recovery = nil
        var isDone = false
        decide { core, now in
            let effects = try core.decide { try $0.declare(loss, at: max(now, recovery.newest.head.time?.adding(milliseconds: 1) ?? now)) }
            isDone = true
            return effects
        }
        guard isDone else {
            self.recovery = recovery
            return later(60_000) { self.declareLoss() }
        }
        world.count("losses declared")
        historyIsWhole()
    }

    func pruneIfUp() {
        if node.isUp, hearing == nil { decide { core, now in try core.decide { $0.prune(by: "operator/sim", at: now) } } }
    }

    private func scheduleRecovery() {
        // A tick that is due would only fail again, and at once.
        timer += 1
        guard !isRecovering else { return }
        isRecovering = true
        later(5000) {
            self.isRecovering = false
            self.resume()
        }
    }

    private func scheduleTick() {
        timer += 1
        guard let wake = machine.wakeTime else { return }
        let number = timer
        let wait = wake > now ? min(wake.milliseconds - now.milliseconds, 3_600_000) : 0
        later(Int(wait) + 1) { if self.timer == number { self.handle(.tick) } }
    }
}
