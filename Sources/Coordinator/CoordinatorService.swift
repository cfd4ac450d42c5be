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
    nonisolated let logger: Logger
    nonisolated let spools = SpoolRegistry()
    /// For what blocks: hashing, reading, reducing.
    nonisolated let workers: NIOThreadPool
    private let identity: CoordinatorIdentity
    private let ledger: Ledger
    private var machine: CoordinatorMachine
    var presence: [SiteID: SitePresence] = [:]
    private var timer: Task<Void, Never>?
    /// The next attempt to write a ledger that could not be written. Not `timer`, which every event sets anew.
    private var recovery: Task<Void, Never>?
    private var listener: Listener?
    private var isStopping = false
    private let clock: @Sendable () -> Timestamp

    /// How long the coordinator waits before it tries again to write a ledger that it could not write.
    private static let ledgerRetrySeconds = 5

    public init(_ configuration: CoordinatorConfiguration, logger: Logger, clock: @escaping @Sendable () -> Timestamp = systemTime) throws {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
        files = CoordinatorFiles(directory: configuration.dataDirectory)
        guard FileManager.default.fileExists(atPath: files.ledger) else {
            throw CoordinatorError("\(files.directory) holds no ledger", hint: "found the consortium first: kumiai coordinator init")
        }
        identity = try CoordinatorIdentity(configuration, files, at: clock())
        blobs = try BlobStore(directory: files.blobs)
        blobs.removeLeftovers()
        ledger = try Ledger(
            consortium: configuration.consortium, store: try SQLiteEntryStore(path: files.ledger), key: identity.logKey)
        machine = CoordinatorMachine(state: ledger.stateAtOpening)
        workers = NIOThreadPool(numberOfThreads: 4)
        workers.start()
    }

    // MARK: Running

    /// Serves until ``stop()``. `ready` gets the port.
    public func run(ready: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        removeSeal()
        let listener = Listener(
            context: try identity.serverContext(), consortium: configuration.consortium,
            group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        self.listener = listener
        logger.info(
            "coordinator starts",
            metadata: ["consortium": "\(configuration.consortium)", "entries": "\(ledger.count)", "certificate": "\(identity.principal)"])
        perform(machine.resume(at: clock()))
        defer { timer?.cancel() }
        try await listener.run(host: configuration.host, port: configuration.port) { [logger, configuration] port in
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
        try LedgerSeal.write(to: files.seal, ledger: files.ledger, size: ledger.count, origin: ledger.origin, key: identity.logKey)
    }

    private func removeSeal() { try? FileManager.default.removeItem(atPath: files.seal) }

    // MARK: Events

    func welcome(_ version: UInt32) -> Welcome {
        Welcome(
            version: version, consortium: configuration.consortium, time: clock(),
            heartbeatSeconds: configuration.heartbeatSeconds, chunkBytes: WireLimits.chunkBytes,
            logKey: identity.logKeyBytes, logKeySignature: identity.logKeySignature)
    }

    func now() -> Timestamp { clock() }

    func arrived(_ site: SiteID, _ newcomer: SitePresence) {
        if let former = presence[site] {
            logger.info("site connected again", metadata: ["site": "\(site)"])
            former.leave()
            newcomer.takeOver(former)
        } else {
            logger.info("site connected", metadata: ["site": "\(site)"])
        }
        presence[site] = newcomer
        newcomer.connected(at: clock())
        perform(machine.handle(.arrived(site), at: clock()))
        newcomer.send(.assignment(machine.assignment(for: site)))
    }

    func left(_ site: SiteID, _ leaver: SitePresence) {
        guard presence[site] === leaver, leaver.isConnected else { return }
        leaver.disconnected()
        logger.info("site disconnected", metadata: ["site": "\(site)"])
        guard !isStopping else { return }
        perform(machine.handle(.left(site), at: clock()))
    }

    func submit(_ update: SignedUpdate, from site: SiteID, certificate: Certificate) async throws -> ServerMessage {
        let manifest = update.manifest
        var inspection = Inspection.sound(norm: 0)
        switch machine.preliminaryAnswer(to: manifest, from: site, at: clock()) {
        case .accepted(let index): return .receipt(ledger.receipt(of: index))
        case .refused(let refusal): inspection = .unsound(refusal)
        case nil:
            guard let plan = machine.state.campaign?.plan else { break }
            let inspector = UpdateInspection(blobs: blobs, plan: plan)
            inspection = try await workers.runIfActive { inspector.inspect(update, certificate: certificate) }
        }
        let submission = Submission(sender: site, update: update, inspection: inspection)
        let answers = try performOrThrow(machine.handle(.submitted(submission), at: clock()))
        guard let answer = answers[site] else { throw Refusal(.unavailable, "the coordinator has no answer", hint: "submit again") }
        switch answer {
        case .accepted(let index):
            presence[site]?.note(localLoss: manifest.localLoss)
            logger.info("update accepted", metadata: ["site": "\(site)", "round": "\(manifest.key)", "entry": "\(index)", "loss": "\(manifest.localLoss)"])
            return .receipt(ledger.receipt(of: index))
        case .refused(let refusal):
            logger.warning(
                "update refused",
                metadata: ["site": "\(site)", "round": "\(manifest.key)", "reason": "\(refusal.reason.rawValue)", "detail": "\(refusal.detail)"])
            return .updateRefused(refusal)
        }
    }

    func open(_ plan: Plan, by name: String) throws -> ServerMessage {
        if let problem = plan.problems.first { throw Refusal(.invalid, "\(problem.key): \(problem.message)", hint: "mend the plan and open the campaign again") }
        do {
            let effects = try machine.open(plan, by: name, at: clock())
            try performOrThrow(effects)
        } catch let error as LedgerViolation {
            throw Refusal(.conflict, "a campaign cannot be opened now: the request \(error.message)", hint: "see kumiai campaign status")
        }
        logger.info("campaign opened", metadata: ["campaign": "\(plan.campaign)", "by": "\(name)"])
        return .campaignAccepted(plan.campaign, index: UInt64(ledger.count - 1))
    }

    func cut(_ name: ModelName, by operatorName: String) throws -> ServerMessage {
        let path = "\(files.releases)/\(name)"
        let known = machine.state.releases.first { $0.name == name }
        let cutting: ReleaseCutting
        if let known {
            cutting = known
        } else {
            guard let campaign = machine.state.campaign, let model = campaign.plan.model else {
                throw Refusal(.notFound, "there is no campaign to release", hint: "open one: kumiai campaign open")
            }
            cutting = ReleaseCutting(
                name: name, campaign: campaign.plan.campaign,
                model: ModelReference(digest: campaign.current.model, layout: model.layout, byteCount: campaign.current.modelByteCount),
                cutBy: operatorName)
            do {
                try performOrThrow(try machine.cut(cutting, at: clock()))
            } catch let error as LedgerViolation {
                throw Refusal(.conflict, "\(name) cannot be cut: the request \(error.message)", hint: "see kumiai campaign status")
            }
        }
        if !FileManager.default.fileExists(atPath: path) { try write(cutting, to: path) }
        return .releaseReady(name, model: cutting.model.digest, directory: path)
    }

    private func write(_ cutting: ReleaseCutting, to path: String) throws {
        let entries = try (0..<ledger.count).map { try ledger.entry(at: $0) }
        let lineage = try Lineage(entries: entries, treeHead: ledger.head.note)
        _ = try ReleaseDirectory.write(
            to: path, lineage: lineage, model: blobs.path(of: cutting.model.digest), chain: identity.chain, key: identity.key)
        logger.info("release cut", metadata: ["release": "\(cutting.name)", "model": "\(cutting.model.digest.short)"])
    }

    func status() -> StatusReport {
        let campaign = machine.state.campaign
        let sites = Set(campaign?.plan.sites ?? []).union(presence.keys).sorted()
        return StatusReport(
            consortium: configuration.consortium, time: clock(), ledgerEntries: UInt64(ledger.count),
            treeHead: ledger.head.note, campaign: campaign?.report,
            sites: sites.map { site in
                SiteReport(
                    site: site, isConnected: presence[site]?.isConnected ?? false,
                    heartbeat: presence[site]?.heartbeat ?? Heartbeat(),
                    updatesAccepted: campaign?.acceptedBySite[site] ?? 0, updatesRefused: campaign?.refusedBySite[site] ?? 0,
                    lastSeen: presence[site]?.lastSeen)
            }, models: machine.state.models.keys.sorted().map(\.text))
    }

    /// Whether a site may fetch this blob: global models, never another site's update.
    func mayFetch(_ digest: Digest) -> Bool {
        guard let campaign = machine.state.campaign else { return machine.state.models.values.contains { $0.digest == digest } }
        return campaign.current.model == digest || campaign.round.start.model == digest
            || machine.state.models.values.contains { $0.digest == digest }
    }

    /// The largest update that a site may upload now; `nil` where no campaign takes updates of it.
    func uploadLimit(for site: SiteID) -> UInt64? {
        guard let campaign = machine.state.campaign, campaign.end == nil, campaign.plan.sites.contains(site), let model = campaign.plan.model
        else { return nil }
        return model.byteCount + UInt64(CoordinatorLimits.headerSlackBytes)
    }

    // MARK: Effects

    private func tick() { perform(machine.handle(.tick, at: clock())) }

    private func perform(_ effects: [CoordinatorMachine.Effect]) {
        do {
            try performOrThrow(effects)
        } catch {
            logger.critical("the ledger cannot be written", metadata: ["reason": "\(error)"])
        }
    }

    @discardableResult
    private func performOrThrow(_ effects: [CoordinatorMachine.Effect]) throws -> [SiteID: SubmissionAnswer] {
        var answers: [SiteID: SubmissionAnswer] = [:]
        var pending: [Entry] = []
        var mustAnnounce = false
        for effect in effects {
            if case .record(let entry) = effect {
                pending.append(entry)
                continue
            }
            try append(&pending)
            switch effect {
            case .record: break
            case .answer(let site, let answer): answers[site] = answer
            case .aggregate(let task): aggregate(task)
            case .announce: mustAnnounce = true
            }
        }
        try append(&pending)
        if mustAnnounce { announce() }
        scheduleTick()
        return answers
    }

    private func append(_ entries: inout [Entry]) throws {
        do {
            try ledger.append(entries)
        } catch {
            recover()
            throw Refusal(.unavailable, "the coordinator cannot write its ledger: \(error)", hint: "the operator must look at its disk; try again later")
        }
        for entry in entries { log(entry) }
        entries = []
    }

    /// The ledger is the truth: what could not be written has not happened.
    private func recover() {
        var state = ConsortiumState()
        for index in 0..<ledger.count {
            guard let entry = try? ledger.entry(at: index), (try? state.apply(entry)) != nil else {
                preconditionFailure("the ledger in memory does not fold")
            }
        }
        machine = CoordinatorMachine(state: state)
        recovery?.cancel()
        recovery = Task {
            guard (try? await Task.sleep(for: .seconds(Self.ledgerRetrySeconds))) != nil else { return }
            self.retry()
        }
    }

    private func retry() {
        guard !isStopping else { return }
        do {
            for site in presence.filter(\.value.isConnected).keys.sorted() {
                try performOrThrow(machine.handle(.arrived(site), at: clock()))
            }
            try performOrThrow(machine.resume(at: clock()))
        } catch {
            // The failed write has set the next attempt.
            logger.critical("the ledger cannot be written", metadata: ["reason": "\(error)"])
        }
    }

    private func aggregate(_ task: AggregationTask) {
        let aggregation = RoundAggregation(blobs: blobs, threads: configuration.aggregationThreads)
        Task {
            do {
                let result = try await workers.runIfActive { try aggregation.run(task) }
                self.perform(self.machine.handle(.aggregated(task.key, result), at: self.clock()))
            } catch {
                self.logger.error("aggregation failed", metadata: ["round": "\(task.key)", "reason": "\(error)"])
                self.perform(self.machine.handle(.aggregationFailed(task.key, "\(error)"), at: self.clock()))
            }
        }
    }

    private func announce() {
        for (site, presence) in presence where presence.isConnected {
            presence.send(.assignment(machine.assignment(for: site)))
        }
    }

    private func scheduleTick() {
        timer?.cancel()
        guard let wake = machine.wakeTime, !isStopping else { return }
        let now = clock()
        let milliseconds = wake > now ? min(wake.milliseconds - now.milliseconds, 3_600_000) : 0
        timer = Task {
            guard (try? await Task.sleep(for: .milliseconds(milliseconds + 1))) != nil else { return }
            self.tick()
        }
    }

    private func log(_ entry: Entry) {
        switch entry.body {
        case .roundOpened(let opening): logger.info("round opened", metadata: ["round": "\(opening.key)", "cohort": "\(opening.cohort.count)"])
        case .roundCommitted(let commit): logger.info("round committed", metadata: ["round": "\(commit.key)", "model": "\(commit.result.model.short)"])
        case .roundAbandoned(let key, let reason): logger.warning("round abandoned", metadata: ["round": "\(key)", "reason": "\(reason)"])
        case .campaignEnded(let end): logger.info("campaign ended", metadata: ["campaign": "\(end.campaign)", "completed": "\(end.completed)", "reason": "\(end.reason)"])
        default: break
        }
    }
}
