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
    }

    private func found() throws {
        let blobs = try BlobStore(directory: "blobs", disk: node.disk, checkpointBytes: 64)
        try blobs.store(model)
        let ledger = try Ledger(consortium: world.cast.consortium, store: store, key: world.cast.logKey)
        try ledger.append([
            Entry(at: now, .founded(world.cast.founding)), Entry(at: now, .modelRegistered(world.scenario.plan.base, world.scenario.plan.model!)),
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
        isRecovering = false
        world.note("coordinator starts, \(core.ledger.count) entries")
        // It may have died between taking an update in and giving up the site's own copy.
        for place in incoming.settle(machine.state, blobs) { world.checker.discarded(place.digest, of: place.site) }
        world.checker.restarted()
        guard world.mistake != .forgetUnderWay else { return scheduleTick() }
        decide { try $0.resume(at: $1) }
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
        (presence, spools) = ([:], [:])
        world.schedule(after: Int.random(in: 100...600_000, using: &world.random)) { self.start() }
    }

    /// Runs later, if the coordinator has not died by then.
    func later(_ milliseconds: Int, _ action: @escaping () -> Void) {
        let epoch = node.epoch
        world.schedule(after: milliseconds) { if self.node.isUp, self.node.epoch == epoch { action() } }
    }

    // MARK: Links

    func accept(_ link: SimulatedLink) {
        link.sendDown(
            .welcome(
                Welcome(
                    version: 1, consortium: world.cast.consortium, time: now, heartbeatSeconds: 5, chunkBytes: 64, logKey: world.cast.logKeyBytes,
                    logKeySignature: world.cast.founding.logKeySignature)), inReplyTo: 1)
        guard link.purpose == .control else { return }
        let former = presence[link.site.id]
        presence[link.site.id] = link
        former?.closeFromCoordinator()
        handle(.arrived(link.site.id))
        link.sendDown(.assignment(machine.assignment(for: link.site.id)))
    }

    func lost(_ link: SimulatedLink) {
        if let (_, spool) = spools.removeValue(forKey: ObjectIdentifier(link)) { try? spool.checkpoint() }
        guard presence[link.site.id] === link else { return }
        presence[link.site.id] = nil
        handle(.left(link.site.id))
    }

    func receive(_ frame: ClientFrame, on link: SimulatedLink) {
        switch frame.message {
        case .submitUpdate(let update): submit(update, frame.id, link)
        case .offerBlob(let digest, let byteCount): receive(digest, byteCount, frame.id, link)
        case .blobChunk(let chunk): take(chunk, frame.id, link)
        case .fetchBlob(let digest, let offset): send(digest, from: offset, frame.id, link)
        default: break
        }
    }

    func refuse(_ refusal: Refusal, _ id: UInt64, _ link: SimulatedLink) { link.sendDown(.refusal(refusal), inReplyTo: id) }

    // MARK: Decisions and effects

    func handle(_ event: CoordinatorMachine.Event) { decide { try $0.handle(event, at: $1) } }

    func decide(_ decision: (CoordinatorCore, Timestamp) throws -> [CoordinatorMachine.Effect]) {
        guard !node.disk.isDead else { return }
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
            case .assign(let site): presence[site]?.sendDown(.assignment(machine.assignment(for: site)))
            case .announce:
                for (site, link) in presence.sorted(by: { $0.key < $1.key }) { link.sendDown(.assignment(machine.assignment(for: site))) }
            }
        }
    }

    private func recorded(_ entry: Entry) {
        world.checker.recorded(entry)
        switch entry.body {
        case .roundCommitted, .roundAbandoned:
            for place in (try? sweeper.sweep(needed: machine.state.neededBlobs)) ?? [] { world.checker.discarded(place.digest, of: place.site) }
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

    func pruneIfUp() {
        if node.isUp { decide { core, now in try core.decide { $0.prune(by: "operator/sim", at: now) } } }
    }

    private func scheduleRecovery() {
        // A tick that is due would only fail again, and at once.
        timer += 1
        guard !isRecovering else { return }
        isRecovering = true
        later(5000) {
            self.isRecovering = false
            self.decide { try $0.resume(at: $1) }
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
