import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Logging
import NIOCore
import NIOPosix
import Releases
import Transport
import Wire

/// The coordinator's shell: it turns messages into events, and effects into entries, answers and work.
///
/// One loop: everything that decides runs on this actor, and an entry is on the disk before anything that follows it.
public actor CoordinatorService {
    nonisolated let configuration: CoordinatorConfiguration
    nonisolated let files: CoordinatorFiles
    nonisolated let blobs: BlobStore
    /// What sites have sent, each site's by itself, until an entry names it.
    nonisolated let incoming: IncomingBlobs
    nonisolated let logger: Logger
    nonisolated let spools = SpoolRegistry()
    /// For what blocks: hashing, reading, reducing.
    nonisolated let workers: NIOThreadPool
    var releasesInProgress: Set<ModelName> = []
    /// What each release holds, as its signature says.
    var releaseFiles: [ModelName: [ModelListing.File]] = [:]
    nonisolated let arrivingModels: BlobStore
    var arrivals = ArrivingModels()
    var reloading: ReloadingIdentity<CoordinatorIdentity>
    var identity: CoordinatorIdentity { reloading.current }
    var reminder = CertificateReminder()
    /// Whether certificates were replaced since the open connections were looked at.
    var mustCheckConnections = false
    var refusedSites: [SiteID: RefusedSite] = [:]
    let core: CoordinatorCore
    var presence: [SiteID: SitePresence] = [:]
    /// Sites that have shown a certificate that holds since the start, on whichever kind of connection.
    private(set) var seenSites: Set<SiteID> = []
    private let lock: DirectoryLock
    var sweeper: BlobSweeper
    private var timer: Task<Void, Never>?
    /// The next attempt to write a ledger that could not be written. Not `timer`, which every event sets anew.
    private var retry: Task<Void, Never>?
    /// The round that is being computed.
    var aggregating: AggregationTask?
    private(set) var listener: Listener?
    private(set) var isStopping = false
    private let clock: GuardedClock
    /// What sites have seen and this ledger lacks; `nil`: nothing.
    var recovery: LedgerRecovery?
    /// Until enough sites have said what they have seen; `nil`: they have.
    var hearing: SiteHearing?
    /// Why the last decision could not be written; `nil` where it could.
    private(set) var ledgerTrouble: String?
    /// Whether it was said that the ledger's file is gone, or another one.
    var ledgerIsMissed = false
    /// Whether the last upload ended for lack of room.
    var isDiskFull = false

    /// How long the coordinator waits before it tries again to write a ledger that it could not write, or to compute a
    /// round that it could not compute.
    static let retrySeconds = 5

    var machine: CoordinatorMachine { core.machine }
    var ledger: Ledger { core.ledger }

    public init(_ configuration: CoordinatorConfiguration, logger: Logger, clock: @escaping @Sendable () -> Timestamp = systemTime) throws {
        self.configuration = configuration
        self.logger = logger
        self.clock = GuardedClock(wall: clock)
        files = CoordinatorFiles(directory: configuration.dataDirectory)
        guard FileManager.default.fileExists(atPath: files.ledger) else {
            let hadOne = FileManager.default.fileExists(atPath: files.logKey)
            throw CoordinatorError(
                "\(files.directory) holds no ledger",
                hint: hadOne
                    ? "log.key is there: restore ledger.sqlite, or mount the disk that it is on"
                    : "found the consortium first: kumiai coordinator init")
        }
        // A disk that filled up, or a copy that broke off, leaves an empty file: SQLite would begin a ledger in it.
        guard SystemDisk().byteCount(files.ledger) != 0 else {
            throw CoordinatorError("\(files.ledger) is empty", hint: "restore it, with the files beside it; nothing was written")
        }
        do {
            lock = try DirectoryLock(files.directory)
        } catch let error as BlobError where error.code == .busy {
            throw CoordinatorError(error.message, hint: "another coordinator runs on this directory: stop it first")
        }
        reloading = try ReloadingIdentity(configuration, files, at: clock())
        blobs = try BlobStore(directory: files.blobs)
        blobs.removeLeftovers()
        incoming = IncomingBlobs(blobs)
        arrivingModels = try BlobStore(directory: files.arrivingModels)
        arrivingModels.removeAll()
        sweeper = BlobSweeper(blobs, incoming)
        let seal = try SealedFile(files)
        let ledger = try FormerRun.ledger(files, consortium: configuration.consortium, key: reloading.current.logKey)
        try FormerRun.check(seal, files, ledger, reloading.current.roots)
        core = CoordinatorCore(ledger: ledger)
        recovery = try Self.missingHistory(files, ledger)
        incoming.settle(core.machine.state, blobs)
        workers = NIOThreadPool(numberOfThreads: 4)
        workers.start()
    }

    // MARK: Running

    /// Serves until ``stop()``. `ready` gets the port.
    public func run(ready: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let listener = Listener(
            contexts: reloading.contexts, consortium: configuration.consortium, peerLimit: CoordinatorLimits.connectionsPerPeer,
            group: MultiThreadedEventLoopGroup.singleton, logger: logger
        ) { [weak self] certificate, reason in await self?.refused(certificate, reason) }
        self.listener = listener
        knowSites()
        logger.info(
            "coordinator starts",
            metadata: ["consortium": "\(configuration.consortium)", "entries": "\(ledger.count)", "certificate": "\(identity.principal)"])
        let watching = Task { await self.watchIdentity() }
        defer {
            timer?.cancel()
            watching.cancel()
        }
        try await listener.run(host: configuration.host, port: configuration.port) { [logger, configuration] port in
            await self.begin()
            logger.info("listening", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
            await ready(port)
        } serve: { connection in
            try await ParticipantSession(self, connection).run()
        }
        try seal()
        logger.info("coordinator stopped", metadata: ["entries": "\(ledger.count)"])
    }

    /// Stops taking connections and lets ``run(ready:)`` return.
    public func stop() {
        guard !isStopping else { return }
        isStopping = true
        logger.info("coordinator is stopping")
        timer?.cancel()
        listener?.close()
        for presence in presence.values { presence.leave() }
    }

    /// Closes the ledger and notes the hash of its file, so that an audit of a copy finds a change of any byte.
    private func seal() throws {
        try ledger.close()
        guard ledger.count > 0 else { return }
        try LedgerSeal.write(to: files.seal, ledger: files.ledger, size: ledger.count, origin: ledger.origin, key: identity.logKey)
    }

    /// A start that failed leaves the seal, which says how long the ledger was.
    private func begin() {
        removeSeal()
        hearSites()
        resume()
    }

    /// Keeps places for the campaign's sites, should connections become few.
    func knowSites() {
        listener?.know((machine.state.campaign?.plan.sites ?? []).map { Principal(consortium: configuration.consortium, role: .site($0)) })
    }

    private func removeSeal() { try? FileManager.default.removeItem(atPath: files.seal) }

    // MARK: Events

    /// `loss`: the one that explains why the site's history is not this one; otherwise the newest is shown.
    func welcome(_ version: UInt32, proof: [Digest] = [], loss: ConsortiumState.RecordedLoss? = nil) -> Welcome {
        let shown = loss ?? machine.state.losses.last
        return Welcome(
            version: version, consortium: configuration.consortium, time: now(),
            heartbeatSeconds: configuration.heartbeatSeconds, chunkBytes: WireLimits.chunkBytes,
            logKey: identity.logKeyBytes, logKeySignature: identity.logKeySignature, model: machine.state.currentModel,
            treeHead: ledger.head.note, consistencyProof: proof, loss: shown.flatMap { try? ledger.receipt(of: $0.index) })
    }

    func now() -> Timestamp { clock.now() }
    /// How far the system's clock has stepped away from the one that is gone by, in milliseconds.
    var clockStep: Int64? { clock.step }

    func saw(_ site: SiteID) { seenSites.insert(site) }

    func arrived(_ site: SiteID, _ newcomer: SitePresence) {
        if let former = presence[site] {
            logger.info("site connected again", metadata: ["site": "\(site)"])
            former.leave()
            newcomer.takeOver(former)
        } else {
            logger.info("site connected", metadata: ["site": "\(site)"])
        }
        presence[site] = newcomer
        refusedSites[site] = nil
        newcomer.connected(at: now())
        hearing?.note(site)
        endHearingIfOver()
        handle(.arrived(site))
        assign(site)
    }

    func left(_ site: SiteID, _ leaver: SitePresence) {
        guard presence[site] === leaver, leaver.isConnected else { return }
        leaver.disconnected()
        logger.info("site disconnected", metadata: ["site": "\(site)"])
        guard !isStopping else { return }
        handle(.left(site))
    }

    // MARK: Effects

    private func tick() { handle(.tick) }

    /// What could not be decided before is decided now, with the sites that are connected by now.
    func resume() {
        guard hearing == nil else { return }
        let present = Set(presence.filter(\.value.isConnected).keys)
        decide { try $0.resume(at: $1, present: present) }
    }

    /// What happens while sites are heard is made up for by ``resume()``.
    func handle(_ event: CoordinatorMachine.Event) {
        guard hearing == nil else { return }
        decide { try $0.handle(event, at: $1) }
    }

    /// For what nobody waits for an answer to.
    func decide(_ decision: (CoordinatorCore, Timestamp) throws -> [CoordinatorMachine.Effect]) {
        do {
            try decideOrThrow(decision)
        } catch {
            logger.critical("nothing can be decided", metadata: ["reason": "\(error)", "hint": "\((error as? Refusal)?.hint ?? "")"])
        }
    }

    /// Decides, and performs what was decided: the entries are on the disk by then.
    @discardableResult
    func decideOrThrow(
        isClockCorrection: Bool = false, _ decision: (CoordinatorCore, Timestamp) throws -> [CoordinatorMachine.Effect]
    ) throws -> [SiteID: SubmissionAnswer] {
        let now = now()
        if let obstacle = obstacle(at: now, isClockCorrection: isClockCorrection) {
            scheduleRecovery()
            throw obstacle
        }
        do {
            let answers = perform(try decision(core, now))
            ledgerTrouble = nil
            scheduleTick()
            return answers
        } catch let error as LedgerError {
            ledgerTrouble = "nothing is decided, because the ledger cannot be written: \(error)"
            scheduleRecovery()
            throw Refusal(
                .unavailable, "the coordinator cannot write its ledger: \(error)",
                hint: "the operator must look at its disk; it goes on by itself when that is fixed")
        }
    }

    private func perform(_ effects: [CoordinatorMachine.Effect]) -> [SiteID: SubmissionAnswer] {
        var answers: [SiteID: SubmissionAnswer] = [:]
        var mustAnnounce = false
        for effect in effects {
            switch effect {
            case .record(let entry): recorded(entry)
            case .answer(let site, let answer): answers[site] = answer
            case .aggregate(let task): aggregate(task)
            case .remove(let digests): remove(digests)
            case .announce: mustAnnounce = true
            case .assign(let site): assign(site)
            case .fault(let violation): logger.critical("an entry was decided that does not follow", metadata: ["reason": "\(violation.message)"])
            }
        }
        if mustAnnounce { presence.keys.forEach(assign) }
        return answers
    }

    private func scheduleRecovery() {
        // A tick that is due would only fail again, and at once.
        timer?.cancel()
        guard retry == nil else { return }
        retry = Task {
            try? await pause(for: .seconds(Self.retrySeconds))
            retry = nil
            guard !isStopping else { return }
            resume()
        }
    }

    private func remove(_ digests: [Digest]) {
        for digest in digests { blobs.remove(digest) }
    }

    /// Says to a site that is there what it should do now.
    func assign(_ site: SiteID) {
        guard let presence = presence[site], presence.isConnected, !core.isAheadOfLedger else { return }
        if let obstacle = obstacle(at: now()) { return presence.send(.assignment(.rest(reason: obstacle.message))) }
        guard hearing == nil else { return }
        presence.send(.assignment(proved(machine.assignment(for: site), for: site)))
    }

    /// A site that sent its update for the round already is asked again only with the entry that says that it was lost.
    private func proved(_ assignment: Assignment, for site: SiteID) -> Assignment {
        guard case .train(let task) = assignment, let index = machine.state.campaign?.lostUpdates[site],
            let proof = try? receipt(of: index)
        else { return assignment }
        return .train(task.asking(because: proof))
    }

    private func scheduleTick() {
        timer?.cancel()
        guard let wake = machine.wakeTime, !isStopping else { return }
        let now = now()
        let milliseconds = wake > now ? min(wake.milliseconds - now.milliseconds, 3_600_000) : 0
        timer = Task {
            guard (try? await pause(for: .milliseconds(milliseconds + 1))) != nil else { return }
            self.tick()
        }
    }
}
