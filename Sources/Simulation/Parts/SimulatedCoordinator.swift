import Blobs
import Coordinator
import Federation
import Ledger
import Protocol
import Wire

/// The simulated shell of a coordinator's driver: links, disk, clock, and work that takes time.
final class SimulatedCoordinator: @unchecked Sendable {
    // Unchecked: only one thread runs a world.
    unowned let world: World
    let node: Node
    let store: SimulatedLedgerBackend
    private let model: [UInt8]
    private var openLedger: Ledger!
    var ledger: Ledger { openLedger }
    private(set) var blobs: BlobStore!
    private(set) var incoming: IncomingBlobs!
    private var sweeper: BlobGarbageCollector!
    private(set) var driver: CoordinatorDriver!
    var links: [LinkID: SimulatedLink] = [:]
    private var numbers: UInt64 = 0
    private var requests: [RequestID: Request] = [:]
    /// For each alarm, the number of the newest setting, which is the only valid one.
    private var alarms: [CoordinatorAlarm: Int] = [:]
    /// The upload on each link.
    var uploads: [ObjectIdentifier: SimulatedUpload] = [:]
    /// The links of sites that show their receipts of missing entries.
    var showing: [SimulatedLink] = []
    var backup: (disk: [String: [UInt8]], store: SimulatedLedgerBackend.Backup)?
    /// For the mistake ``Mistake/forgetUnderWay``.
    var forgotten: AggregationTask?
    /// For the mistake ``Mistake/answerBeforeRecord``: the submissions that wait for an answer.
    var unanswered: [SignedUpdate.Identity: (id: UInt64, link: SimulatedLink)] = [:]
    var waitsToDeclare = false

    /// A caller that waits for an answer.
    private struct Request {
        let update: SignedUpdate?
        let answer: (CoordinatorAnswer) -> Void
    }

    init(_ world: World, model: [UInt8]) throws {
        self.world = world
        self.model = model
        node = Node()
        store = SimulatedLedgerBackend(node.disk, syncs: world.mistake != .acknowledgeBeforeSync)
        try found()
    }

    var now: Timestamp { world.timestamp(node.clockOffset) }
    var machine: CoordinatorMachine { driver.machine }
    var description: String {
        guard node.isUp, let campaign = machine.state.campaign else { return "the coordinator is down" }
        return "round \(campaign.round.key) is \(campaign.round.phaseName), \(links.count) sites present"
            + (campaign.pause == nil ? "" : ", paused")
            + (driver.recovery.map { ", lacking entries up to \($0.newest.head.size)" } ?? "")
    }

    private func found() throws {
        let blobs = BlobStore(try FileBlobs(directory: "blobs", disk: node.disk, smallBytes: 64), checkpointBytes: 64)
        try blobs.store(model)
        let (ledger, state) = try Ledger.open(
            consortium: world.fixture.consortium,
            store: store,
            key: world.fixture.logKey
        )
        var machine = CoordinatorMachine(state: state)
        try ledger.append([
            Entry(at: now, .founded(world.fixture.genesis)),
            Entry(at: now, .modelRegistered(world.scenario.plan.base, world.scenario.plan.model!, by: "")),
        ])
        machine = CoordinatorMachine(state: try ledger.reload())
        let effects = try machine.open(world.scenario.plan, by: "operator/sim", at: now)
        try ledger.append(effects.compactMap { if case .record(let entry) = $0 { entry } else { nil } })
        store.settle()
        openLedger = ledger
        driver = CoordinatorDriver(state: machine.state, ledger: ledger.snapshot)
        node.disk.skipsSync = world.mistake == .skipUploadSync
    }

    // MARK: Life and death

    func start() {
        do {
            blobs = BlobStore(try FileBlobs(directory: "blobs", disk: node.disk, smallBytes: 64), checkpointBytes: 64)
            blobs.removeLeftovers()
            incoming = IncomingBlobs(blobs)
            sweeper = BlobGarbageCollector(blobs, incoming)
            let (ledger, state) = try Ledger.open(
                consortium: world.fixture.consortium,
                store: store,
                key: world.fixture.logKey
            )
            openLedger = ledger
            driver = CoordinatorDriver(
                state: state,
                ledger: ledger.snapshot,
                recovery: try missing.load(ledger.snapshot)
            )
        } catch {
            // A ledger that cannot be opened is a failure, unless the disk has failed again: then the next start tries
            // again.
            if !node.disk.isDead { world.checker.fail("the coordinator cannot start: \(error)") }
            node.disk.processDied()
            return world.schedule(after: 30_000) { self.start() }
        }
        node.isUp = true
        world.trace("coordinator starts, \(ledger.count) entries")
        // It may have died after accepting an update, before it removed the site's own copy.
        for place in incoming.settle(machine.state, blobs) { world.checker.discarded(place.digest, of: place.site) }
        world.checker.restarted()
        waitsToDeclare = false
        if world.mistake == .forgetUnderWay { forgotten = machine.state.campaign?.round.aggregation }
        if driver.recovery != nil { planDeclaration() }
        handle(.started)
    }

    private var missing: MissingHistoryFile { MissingHistoryFile(path: "missing-history.note", disk: node.disk) }

    func crash(power: Bool) {
        guard node.isUp else { return node.disk.processDied() }
        world.trace("coordinator \(power ? "loses power" : "is killed")")
        world.count(power ? "power failures" : "kills")
        node.isUp = false
        node.epoch += 1
        if power {
            node.disk.powerFailed(&world.random)
            store.powerFailed()
        } else {
            node.disk.processDied()
        }
        for link in links.values.sorted(by: { $0.site.index < $1.site.index }) { link.cut() }
        for upload in uploads.values.sorted(by: { $0.link.site.index < $1.link.site.index }) { upload.link.cut() }
        for link in showing { link.cut() }
        (links, uploads, showing, requests, alarms) = ([:], [:], [], [:], [:])
        world.schedule(after: Int.random(in: 100...600_000, using: &world.random)) { self.start() }
    }

    /// Runs `action` later, unless the coordinator has died by then.
    func later(_ milliseconds: Int, _ action: @escaping () -> Void) {
        let epoch = node.epoch
        world.schedule(after: milliseconds) { if self.node.isUp, self.node.epoch == epoch { action() } }
    }

    func later(_ milliseconds: ClosedRange<Int>, _ action: @escaping () -> Void) {
        later(Int.random(in: milliseconds, using: &world.random), action)
    }

    func nextNumber() -> UInt64 {
        numbers += 1
        return numbers
    }

    // MARK: The driver

    /// Greets a site when everything decided so far is on the disk.
    func accept(_ link: SimulatedLink) {
        driver.whenDurable { driver in self.greet(link, driver) }
    }

    func ask(
        _ request: CoordinatorRequest,
        _ update: SignedUpdate? = nil,
        _ answer: @escaping (CoordinatorAnswer) -> Void
    ) {
        let id = RequestID(nextNumber())
        requests[id] = Request(update: update, answer: answer)
        handle(.asked(id, request))
    }

    func handle(_ event: CoordinatorEvent) {
        guard node.isUp, !node.disk.isDead else { return }
        for effect in driver.handle(event, at: now) {
            guard !node.disk.isDead else { return }
            perform(effect)
        }
    }

    private func perform(_ effect: CoordinatorEffect) {
        switch effect {
        case .append(let entries): append(entries)
        case .reload: read { try self.ledger.reload() }
        case .restore(let lost):
            read {
                let state = try self.ledger.restore(lost)
                self.world.count("entries restored")
                return state
            }
        case .storeMissingHistory(let head): try? missing.store(head)
        case .inspect(let id, let update, let plan, _):
            // Other events happen while the tensors are read.
            later(1...3000) { self.handle(.inspected(id, self.inspect(update, plan))) }
        case .publish(let id, let manifest, let inspection):
            later(0...50) { self.handle(.published(id, self.publish(manifest, inspection))) }
        case .compute(let task): compute(task)
        case .remove(let digests):
            for digest in digests {
                blobs.remove(digest)
                world.checker.discarded(digest)
            }
            world.count("prunings")
        case .discard(let digest, let site):
            incoming.remove(digest, of: site)
            world.checker.discarded(digest, of: site)
        case .sweep(let wasAbandoned):
            let needed = sweeper.needsAll(wasAbandoned: wasAbandoned) ? driver.neededBlobs : nil
            for place in (try? sweeper.sweep(needed: needed)) ?? [] {
                world.checker.discarded(place.digest, of: place.site)
            }
        case .assign(let id, let assignment, let proof): assign(id, assignment, proof)
        case .close(let id): links.removeValue(forKey: id)?.closeFromCoordinator()
        case .reply(let id, let answer): requests.removeValue(forKey: id)?.answer(answer)
        case .wake(let alarm, let milliseconds): wake(alarm, milliseconds)
        case .cancel(let alarm): alarms[alarm] = nil
        case .sitesChanged: break
        case .report(let observation): observe(observation)
        }
    }

    /// Appends after a delay; the process may die before it learns the outcome.
    private func append(_ entries: [Entry]) {
        do {
            try ledger.append(entries)
        } catch {
            guard !node.disk.isDead else { return }
            world.trace("the ledger cannot be written: \(error)")
            if world.mistake == .answerBeforeRecord { answerUnrecorded(entries) }
            return later(0...20) { self.handle(.appendFailed("\(error)")) }
        }
        let snapshot = ledger.snapshot
        later(0...20) { self.handle(.appended(snapshot)) }
    }

    private func read(_ body: @escaping () throws -> ConsortiumState) {
        later(0...100) {
            do { self.handle(.read(try body(), self.ledger.snapshot)) } catch { self.handle(.readFailed("\(error)")) }
        }
    }

    private func wake(_ alarm: CoordinatorAlarm, _ milliseconds: Int64) {
        let number = Int(nextNumber())
        alarms[alarm] = number
        later(Int(milliseconds)) { if self.alarms[alarm] == number { self.handle(.due(alarm)) } }
    }

    private func assign(_ id: LinkID, _ assignment: Assignment, _ proof: UInt64?) {
        guard let link = links[id] else { return }
        guard case .train(let task) = assignment, let proof, let receipt = try? ledger.receipt(of: proof) else {
            return link.sendDown(.assignment(assignment))
        }
        link.sendDown(.assignment(.train(task.asking(because: receipt))))
    }

    private func observe(_ observation: CoordinatorObservation) {
        switch observation {
        case .recorded(let entry): world.checker.recorded(entry)
        case .historyMissing:
            world.trace("the ledger of \(ledger.count) entries lacks some that a site has seen")
            planDeclaration()
        case .historyIsWhole: world.checker.historyIsWhole()
        case .lossDeclared: world.count("losses declared")
        case .updatesLost: world.count("damaged updates found")
        case .fault(let reason): world.checker.fail("the coordinator decided an entry that \(reason)")
        default: break
        }
    }
}
