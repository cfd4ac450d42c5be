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
    var reloading: ReloadingIdentity<CoordinatorIdentity>
    var identity: CoordinatorIdentity { reloading.current }
    var reminder = CertificateReminder()
    /// Whether certificates were replaced since the open connections were looked at.
    var mustCheckConnections = false
    var refusedSites: [SiteID: RefusedSite] = [:]
    let core: CoordinatorCore
    var presence: [SiteID: SitePresence] = [:]
    private let lock: DirectoryLock
    private var sweeper: BlobSweeper
    private var timer: Task<Void, Never>?
    /// The next attempt to write a ledger that could not be written. Not `timer`, which every event sets anew.
    private var retry: Task<Void, Never>?
    /// The round that is being computed.
    private var aggregating: AggregationTask?
    private(set) var listener: Listener?
    private(set) var isStopping = false
    private let clock: GuardedClock
    /// What sites have seen and this ledger lacks; `nil`: nothing.
    var recovery: LedgerRecovery?
    /// Why the last decision could not be written; `nil` where it could.
    private(set) var ledgerTrouble: String?

    /// How long the coordinator waits before it tries again to write a ledger that it could not write, or to compute a
    /// round that it could not compute.
    private static let retrySeconds = 5

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
        let ledger = try Ledger(consortium: configuration.consortium, store: try SQLiteEntryStore(path: files.ledger), key: reloading.current.logKey)
        try FormerRun.check(files, ledger, reloading.current.roots)
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
        listener.know((machine.state.campaign?.plan.sites ?? []).map { Principal(consortium: configuration.consortium, role: .site($0)) })
        self.listener = listener
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
        resume()
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

    func submit(_ update: SignedUpdate, from site: SiteID, certificate: Certificate) async throws -> ServerMessage {
        let manifest = update.manifest
        // The ledger may lack the last decision: nothing is answered from it.
        guard !core.isAheadOfLedger else { throw postponement("the coordinator cannot read its ledger now") }
        var inspection = Inspection.sound(norm: 0)
        switch machine.preliminaryAnswer(to: manifest, from: site, at: now()) {
        case .accepted(let index): return .receipt(try receipt(of: index))
        case .postponed(let reason): throw postponement(reason)
        case .refused(let refusal): inspection = .unsound(refusal)
        case nil:
            guard let plan = machine.state.campaign?.plan else { break }
            // With nothing between it and the decision: a sweep must not take what is about to be needed.
            inspection = incoming.accept(manifest, try await inspect(update, plan, certificate))
        }
        let submission = Submission(sender: site, update: update, inspection: inspection)
        let answers = try decideOrThrow { try $0.handle(.submitted(submission), at: $1) }
        if case .accepted = answers[site] { incoming.remove(manifest.update, of: site) }
        return try message(answers[site], to: update, from: site)
    }

    private func inspect(_ update: SignedUpdate, _ plan: Plan, _ certificate: Certificate) async throws -> Inspection {
        let now = now()
        // A CA that was replaced, and whose time is over, vouches for no update any more.
        let ended = machine.state.endedAuthorities(at: now)
        let (incoming, blobs, roots, site) = (incoming, blobs, identity.roots.without(ended), update.manifest.site)
        do {
            return try await workers.runIfActive {
                try UpdateInspection(blobs: blobs, uploads: incoming.store(of: site), plan: plan, roots: roots)
                    .inspect(update, certificate: certificate, at: now)
            }
        } catch let error as BlobError {
            return .unavailable("the coordinator cannot look at what the site has sent: \(error)")
        }
    }

    private func message(_ answer: SubmissionAnswer?, to update: SignedUpdate, from site: SiteID) throws -> ServerMessage {
        let manifest = update.manifest
        switch answer {
        case .accepted(let index):
            presence[site]?.note(localLoss: manifest.localLoss)
            logger.info("update accepted", metadata: ["site": "\(site)", "round": "\(manifest.key)", "entry": "\(index)", "loss": "\(manifest.localLoss)"])
            return .receipt(try receipt(of: index))
        case .refused(let refusal):
            logger.warning(
                "update refused",
                metadata: ["site": "\(site)", "round": "\(manifest.key)", "reason": "\(refusal.reason.rawValue)", "detail": "\(refusal.detail)"])
            return .updateRefused(refusal)
        case .postponed(let reason): throw postponement(reason)
        case nil: throw postponement("the coordinator has no answer yet")
        }
    }

    func receipt(of index: UInt64) throws -> Receipt {
        do {
            return try ledger.receipt(of: index)
        } catch let error as LedgerError {
            logger.critical("an entry of the ledger cannot be read", metadata: ["entry": "\(index)", "reason": "\(error)"])
            throw postponement("the coordinator cannot read its ledger now")
        }
    }

    private func postponement(_ reason: String) -> Refusal {
        Refusal(.unavailable, reason, hint: "the update is kept, and submitted again by itself")
    }

    // MARK: Effects

    private func tick() { handle(.tick) }

    /// What could not be decided before is decided now, with the sites that are connected by now.
    func resume() {
        let present = Set(presence.filter(\.value.isConnected).keys)
        decide { try $0.resume(at: $1, present: present) }
    }

    private func handle(_ event: CoordinatorMachine.Event) { decide { try $0.handle(event, at: $1) } }

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

    /// A full disk or a damaged model must not cost the round: it waits until somebody has fixed it.
    ///
    /// Nothing is computed twice at a time, and what another task has taken the place of is not heard of any more.
    private func aggregate(_ task: AggregationTask) {
        guard aggregating != task else { return }
        aggregating = task
        let aggregation = RoundAggregation(blobs: blobs, threads: configuration.aggregationThreads)
        Task {
            while !isStopping {
                guard let outcome = try? await workers.runIfActive({ aggregation.attempt(task) }), aggregating == task else { return }
                switch outcome {
                case .done(let result):
                    aggregating = nil
                    return handle(.aggregated(task.key, result))
                case .lost(let reason, let sites):
                    aggregating = nil
                    // A copy that was left would answer for the one that is lost, and may be the same file.
                    for lost in task.contributions where sites.contains(lost.site) { incoming.remove(lost.update, of: lost.site) }
                    logger.error("round is abandoned: updates were lost", metadata: ["round": "\(task.key)", "reason": "\(reason)"])
                    return handle(.aggregationFailed(task.key, reason, without: sites))
                case .blocked(let reason):
                    logger.critical(
                        "the round cannot be computed; trying again",
                        metadata: [
                            "round": "\(task.key)", "reason": "\(reason)", "hint": "make room on the disk, or restore the blob that is named from a backup",
                        ])
                }
                guard (try? await pause(for: .seconds(Self.retrySeconds))) != nil else { return }
            }
        }
    }

    private func remove(_ digests: [Digest]) {
        for digest in digests { blobs.remove(digest) }
    }

    /// Says to a site that is there what it should do now.
    func assign(_ site: SiteID) {
        guard let presence = presence[site], presence.isConnected, !core.isAheadOfLedger else { return }
        if let obstacle = obstacle(at: now()) { return presence.send(.assignment(.rest(reason: obstacle.message))) }
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

    private func recorded(_ entry: Entry) {
        switch entry.body {
        case .roundOpened(let opening): logger.info("round opened", metadata: ["round": "\(opening.key)", "cohort": "\(opening.cohort.count)"])
        case .roundExtended(let extended):
            logger.warning("deadline extended", metadata: ["round": "\(extended.key)", "reason": "\(extended.reason)"])
        case .roundCommitted(let commit):
            logger.info("round committed", metadata: ["round": "\(commit.key)", "model": "\(commit.result.model.short)"])
            roundEnded()
        case .roundAbandoned(let abandonment):
            logger.warning("round abandoned", metadata: ["round": "\(abandonment.key)", "reason": "\(abandonment.reason)"])
            roundEnded()
        case .campaignChanged(let change):
            logger.notice(
                "campaign changed",
                metadata: ["campaign": "\(change.campaign)", "action": "\(change.action.name)", "by": "\(change.changedBy)", "reason": "\(change.reason)"])
        case .campaignEnded(let end):
            logger.info("campaign ended", metadata: ["campaign": "\(end.campaign)", "completed": "\(end.completed)", "reason": "\(end.reason)"])
        case .updatesPruned(let pruning):
            logger.info(
                "updates pruned", metadata: ["campaign": "\(pruning.campaign)", "through_round": "\(pruning.throughRound)", "by": "\(pruning.prunedBy)"])
        default: break
        }
    }

    private func roundEnded() {
        Task { await spools.roundEnded() }
        do {
            let removed = try sweeper.sweep(needed: machine.state.neededBlobs)
            if !removed.isEmpty { logger.info("removed blobs that nothing needs", metadata: ["count": "\(removed.count)"]) }
        } catch {
            logger.warning("unneeded blobs were not removed", metadata: ["reason": "\(error)"])
        }
    }
}
