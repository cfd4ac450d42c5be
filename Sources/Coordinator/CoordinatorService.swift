import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Logging
import NIOCore
import NIOPosix
import Protocol
import Releases
import Transport
import Wire

/// The coordinator's shell: it provides its driver with a clock, a disk, links and threads.
///
/// All decisions run on this actor; blocking work runs on thread pools.
package actor CoordinatorService {
    nonisolated let configuration: CoordinatorConfiguration
    nonisolated let files: CoordinatorFiles
    nonisolated let ledger: Ledger
    nonisolated let blobs: BlobStore
    /// Each site's uploads, stored separately until a ledger entry names them.
    nonisolated let incoming: IncomingBlobs
    nonisolated let arrivingModels: BlobStore
    nonisolated let logger: Logger
    nonisolated let log: CoordinatorLog
    nonisolated let spools = SpoolRegistry()
    nonisolated let intake = ChunkBudget()
    nonisolated let arrivedUpdates = ArrivedUpdates()
    /// For blocking work: hashing, reading, reducing.
    nonisolated let workers = NIOThreadPool(numberOfThreads: 4)
    /// For work that must happen in order: one thread writes the ledger, and another changes the shared blob store.
    nonisolated let writer = NIOThreadPool(numberOfThreads: 1)
    nonisolated let storeWriter = NIOThreadPool(numberOfThreads: 1)
    private nonisolated let clock: GuardedClock
    private let lock: DirectoryLock

    var driver: CoordinatorDriver
    private let events: AsyncStream<CoordinatorEvent>
    nonisolated let inbox: AsyncStream<CoordinatorEvent>.Continuation
    var alarms = Alarms<CoordinatorAlarm>()
    var links: [LinkID: SiteLink] = [:]
    var requests: [RequestID: Request] = [:]
    private var numbers: UInt64 = 0
    nonisolated let sweeper: BlobGarbageCollector

    var reloading: ReloadingIdentity<CoordinatorIdentity>
    var identity: CoordinatorIdentity { reloading.current }
    var reminder = CertificateReminder()
    /// Whether certificates were replaced since the open connections were last checked.
    var mustCheckConnections = false
    var refusedSites: [SiteID: RefusedSite] = [:]
    /// Sites that have presented a valid certificate since the start, on any kind of connection.
    private(set) var seenSites: Set<SiteID> = []
    var releasesInProgress: Set<ModelName> = []
    /// The files of each release, as listed in its signature.
    var releaseFiles: [ModelName: [ModelListing.File]] = [:]
    var arrivals = UnregisteredModels()
    /// Whether the log already says that the ledger's file is missing or was replaced.
    var ledgerIsMissed = false
    /// Whether the last upload failed because the disk is full.
    var isDiskFull = false

    private(set) var listener: Listener?
    private var phase = Phase.new

    private enum Phase { case new, running, stopping, stopped }

    /// A caller that waits for an answer.
    struct Request {
        let continuation: CheckedContinuation<CoordinatorAnswer, Never>
        /// The certificate of the connection that asked.
        let certificate: Certificate?
    }

    package init(
        _ configuration: CoordinatorConfiguration,
        logger: Logger,
        clock: @escaping @Sendable () -> Timestamp = systemTime
    ) throws {
        self.configuration = configuration
        self.logger = logger
        log = CoordinatorLog(logger)
        self.clock = GuardedClock(wall: clock)
        files = CoordinatorFiles(directory: configuration.dataDirectory)
        lock = try files.lockedForService()
        reloading = try ReloadingIdentity(configuration, files, at: clock())
        blobs = try BlobStore(directory: files.blobs)
        blobs.removeLeftovers()
        incoming = IncomingBlobs(blobs)
        arrivingModels = try BlobStore(directory: files.arrivingModels)
        arrivingModels.removeAll()
        sweeper = BlobGarbageCollector(blobs, incoming)
        let seal = try SealedFile(files)
        let (ledger, state) = try StartupChecks.ledger(
            files,
            consortium: configuration.consortium,
            key: reloading.current.logKey
        )
        try StartupChecks.check(
            seal,
            files,
            ledger,
            state,
            reloading.current.roots,
            authority: configuration.authority
        )
        self.ledger = ledger
        incoming.settle(state, blobs)
        driver = CoordinatorDriver(
            state: state,
            ledger: ledger.snapshot,
            recovery: try MissingHistoryFile(path: files.missingHistory).load(ledger.snapshot)
        )
        (events, inbox) = AsyncStream.makeStream()
    }

    // MARK: Running

    /// Serves until ``stop()`` is called; returns at once if it already was.
    ///
    /// - Parameter ready: Called with the port number once connections are accepted.
    /// - Throws: If the port cannot be bound, or if the ledger cannot be closed and sealed.
    package func run(ready: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        guard phase == .new else { return }
        phase = .running
        defer { phase = .stopped }
        for pool in [workers, writer, storeWriter] { pool.start() }
        let listener = Listener(
            contexts: reloading.contexts,
            consortium: configuration.consortium,
            peerLimit: CoordinatorLimits.connectionsPerPeer,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger
        ) { [weak self] certificate, reason in await self?.refused(certificate, reason) }
        self.listener = listener
        reserveConnections()
        logger.info(
            "coordinator starts",
            metadata: [
                "consortium": "\(configuration.consortium)", "entries": "\(ledger.count)",
                "certificate": "\(identity.principal)",
            ]
        )
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await self.handleEvents() }
            group.addTask { await self.watchIdentity() }
            defer { group.cancelAll() }
            do { try await self.serve(listener, ready) } catch {
                await self.finish()
                throw error
            }
            await self.finish()
        }
        try await seal()
        logger.info("coordinator stopped", metadata: ["entries": "\(ledger.count)"])
    }

    private func serve(_ listener: Listener, _ ready: @escaping @Sendable (Int) async -> Void) async throws {
        try await listener.run(host: configuration.host, port: configuration.port) { [logger, configuration] port in
            await self.begin()
            logger.info("listening", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
            await ready(port)
        } serve: { connection in
            try await ClientSession(self, connection).run()
        }
    }

    /// Stops accepting connections and lets ``run(ready:)`` return.
    package func stop() {
        switch phase {
        case .new: phase = .stopped
        case .stopping, .stopped: break
        case .running:
            phase = .stopping
            logger.info("coordinator is stopping")
            listener?.close()
            perform(driver.stop(at: now()))
            for link in links.values { link.close() }
        }
    }

    var isStopping: Bool { phase != .running }

    /// Returns when all decisions are on the disk and all threads have stopped.
    private func finish() async {
        if phase == .running { perform(driver.stop(at: now())) }
        phase = .stopping
        alarms.cancelAll()
        await readDurable { _ in }
        for pool in [storeWriter, workers, writer] { try? await pool.shutdownGracefully() }
    }

    /// Closes the ledger and stores the hash of its file, so that an audit of a copy detects any changed byte.
    private func seal() async throws {
        let (ledger, files, key) = (ledger, files, identity.logKey)
        try await NIOThreadPool.singleton.runIfActive {
            try ledger.close()
            guard ledger.count > 0 else { return }
            try LedgerSeal.write(
                to: files.seal,
                ledger: files.ledger,
                size: ledger.count,
                origin: ledger.origin,
                key: key
            )
        }
    }

    /// The seal, which records the ledger's length, is removed only here, so a failed start leaves it in place.
    private func begin() {
        try? FileManager.default.removeItem(atPath: files.seal)
        handle(.started)
    }

    /// Reserves connections for the campaign's sites, in case few are left.
    func reserveConnections() {
        listener?.addKnownPeers(
            (driver.machine.state.campaign?.plan.sites ?? []).map {
                Principal(consortium: configuration.consortium, role: .site($0))
            }
        )
    }

    // MARK: Events

    nonisolated func now() -> Timestamp { clock.now() }
    /// How far the system's clock has stepped away from the clock in use, in milliseconds.
    nonisolated var clockStep: Int64? { clock.step }

    private func handleEvents() async {
        for await event in events { handle(event) }
    }

    func handle(_ event: CoordinatorEvent) { perform(driver.handle(event, at: now())) }

    /// Sends a request to the driver and waits until its answer may be given.
    func ask(_ request: CoordinatorRequest, certificate: Certificate? = nil) async throws -> CoordinatorAnswer {
        let answer = await withCheckedContinuation { continuation in
            let id = RequestID(nextNumber())
            requests[id] = Request(continuation: continuation, certificate: certificate)
            handle(.asked(id, request))
        }
        if case .refused(let refusal) = answer { throw refusal }
        return answer
    }

    /// Returns the result of `body`, which runs when everything decided so far is on the disk.
    func readDurable<Found: Sendable>(_ body: @escaping @Sendable (CoordinatorDriver) -> Found) async -> Found {
        await withCheckedContinuation { continuation in
            driver.whenDurable { continuation.resume(returning: body($0)) }
        }
    }

    func nextNumber() -> UInt64 {
        numbers += 1
        return numbers
    }

    func recordSeen(_ site: SiteID) { seenSites.insert(site) }
}
