import Blobs
import Federation
import Foundation
import Identity
import Logging
import NIOCore
import NIOPosix
import Trainers
import Transport
import Wire

/// Runs a worker: performs the driver's effects with a real clock, disk, trainer and network.
package actor WorkerService {
    nonisolated let configuration: WorkerConfiguration
    var reloading: ReloadingIdentity<WorkerIdentity>
    var identity: WorkerIdentity { reloading.current }
    var reminder = CertificateReminder()
    /// The reason why the current certificate files are not in use; `nil` if they are.
    var identityProblem: String?
    /// Describes the difference of the clocks at their last comparison; `nil` if it was small enough.
    var clockNotice: String?
    nonisolated let logger: Logger
    nonisolated let log: WorkerLog
    nonisolated let blobs: BlobStore
    nonisolated let outbox: Outbox
    nonisolated let memory: LedgerMemory
    nonisolated let sent: SentLog
    nonisolated let trainer: any Trainer
    nonisolated let publisher: UpdatePublisher
    nonisolated let transfer: BlobTransfer
    nonisolated let dialer: Dialer
    nonisolated let meter = TransferMeter()
    nonisolated let training = TrainingMeter()
    /// The threads for blocking work: training, hashing, reading.
    nonisolated let workers: NIOThreadPool
    /// The queue for work that must be done in order: the ledger memory and the outbox.
    nonisolated let storageQueue: SerialQueue
    nonisolated let clock: @Sendable () -> Timestamp
    private var lock: DirectoryLock?

    var driver: WorkerDriver
    private let events: AsyncStream<WorkerEvent>
    nonisolated let inbox: AsyncStream<WorkerEvent>.Continuation
    private var alarms = Alarms<WorkerAlarm>()
    private var numbers: UInt64 = 0
    var link: WorkerLink?
    var heardAt: Timestamp?
    /// The times of the last heartbeat, and of the last message from the coordinator.
    var askedAt = ContinuousClock.now
    var answeredAt = ContinuousClock.now
    var receiptCount: Int { memory.receiptCount }
    private var connectionJob = RestartableJob()
    /// Transfers run one at a time: two would replace each other at the coordinator, and write the same file.
    private var transferJob = RestartableJob()
    private var trainingJob = RestartableJob()
    private var phase = Phase.new
    private let done: AsyncStream<Void>
    private nonisolated let finish: AsyncStream<Void>.Continuation

    private enum Phase { case new, running, stopping, stopped }
    var isStopping: Bool { phase != .running }

    /// Loads the identity and the state of an earlier run from the data directory, and locks the directory.
    ///
    /// - Parameters:
    ///   - configuration: The configuration.
    ///   - logger: The logger.
    ///   - trainer: The trainer; `nil` for the built-in one.
    ///   - workers: The threads for blocking work; `nil` to create a pool.
    ///   - clock: Returns the current time.
    /// - Throws: ``WorkerError`` or another error if the identity is not valid, if another worker uses the directory,
    ///   or if a file cannot be read.
    package init(
        _ configuration: WorkerConfiguration,
        logger: Logger,
        trainer: (any Trainer)? = nil,
        workers: NIOThreadPool? = nil,
        clock: @escaping @Sendable () -> Timestamp
    ) throws {
        self.configuration = configuration
        self.clock = clock
        let reloading = try ReloadingIdentity(configuration, at: clock())
        let identity = reloading.current
        self.reloading = reloading
        var logger = logger
        logger[metadataKey: "site"] = "\(identity.site)"
        self.logger = logger
        log = WorkerLog(logger, directory: configuration.dataDirectory)
        lock = try DataDirectory(configuration.dataDirectory).claim(for: identity.site)
        blobs = try BlobStore(directory: configuration.dataDirectory + "/blobs")
        blobs.removeLeftovers()
        outbox = try Outbox(directory: configuration.dataDirectory)
        memory = try LedgerMemory(directory: configuration.dataDirectory, consortium: configuration.consortium)
        sent = SentLog(path: configuration.dataDirectory + "/sent.jsonl")
        if let workers {
            self.workers = workers
        } else {
            self.workers = NIOThreadPool(numberOfThreads: 3)
            self.workers.start()
        }
        storageQueue = SerialQueue(self.workers)
        dialer = identity.dialer(configuration, reloading.contexts)
        publisher = UpdatePublisher(
            site: identity.site,
            directory: configuration.dataDirectory,
            blobs: blobs,
            logger: logger,
            meter: training
        )
        self.trainer = trainer ?? NativeTrainer(configuration.nativeTraining, site: identity.site, logger: logger)
        transfer = BlobTransfer(
            dialer: dialer,
            blobs: blobs,
            workers: self.workers,
            meter: meter,
            upload: configuration.upload,
            download: configuration.download,
            check: DownloadCheck(blobs: blobs, largestBytes: configuration.largestModelBytes),
            clock: clock,
            knownLogKey: { [configuration] in
                try LedgerMemory.knownLogKey(in: configuration.dataDirectory)
            }
        ) { [logger] digest, offset in
            logger.info("transfer begins", metadata: ["blob": "\(digest.short)", "at_byte": "\(offset)"])
        }
        driver = WorkerDriver(outbox: try outbox.load())
        (events, inbox) = AsyncStream.makeStream()
        (done, finish) = AsyncStream.makeStream()
    }

    // MARK: Running

    /// Works until ``stop()``, or until the campaign has ended if the configuration requires this. Returns immediately
    /// if it was stopped before.
    ///
    /// - Throws: Nothing today: failures are logged and retried.
    package func run() async throws {
        guard phase == .new else { return }
        phase = .running
        logger.info(
            "worker starts",
            metadata: [
                "coordinator": "\(configuration.host):\(configuration.port)",
                "outbox": "\(driver.pending == nil ? "empty" : "one update")",
            ]
        )
        await withDiscardingTaskGroup { group in
            group.addTask { await self.handleEvents() }
            group.addTask { await self.reportStatus() }
            group.addTask { await self.watchIdentity() }
            handle(.started)
            for await _ in done {}
            await end()
            group.cancelAll()
        }
        await writeStatus()
        lock = nil
        phase = .stopped
        logger.info("worker stopped", metadata: ["receipts": "\(receiptCount)"])
    }

    /// Ends ``run()``. An update in the outbox stays there for the next run.
    package func stop() {
        switch phase {
        case .new: phase = .stopped
        case .running:
            phase = .stopping
            logger.info("worker is stopping")
            finish.finish()
        case .stopping, .stopped: break
        }
    }

    /// Ends all work: received bytes of a transfer are made durable, and the connections are closed properly.
    private func end() async {
        phase = .stopping
        training.stop()
        alarms.cancelAll()
        for job in [connectionJob, transferJob, trainingJob] { job.cancel() }
        for job in [connectionJob, transferJob, trainingJob] { await job.end() }
        try? await storageQueue.run {}
    }

    // MARK: Events and effects

    private func handleEvents() async {
        for await event in events { handle(event) }
    }

    func handle(_ event: WorkerEvent) {
        guard !isStopping else { return }
        for effect in driver.handle(event) { perform(effect) }
    }

    func nextNumber() -> UInt64 {
        numbers += 1
        return numbers
    }

    private func perform(_ effect: WorkerEffect) {
        switch effect {
        case .wake(let alarm, let milliseconds, let jitter):
            wake(alarm, milliseconds + (jitter > 0 ? Int.random(in: 0...jitter) : 0))
        case .cancel(let alarm): alarms.cancel(alarm)
        case .dial: connectionJob.begin { await self.connect() }
        case .close(let id): if link?.id == id { link?.close() }
        case .send(let id, let message, let number): if link?.id == id { link?.send(message, id: number) }
        case .compareHistory(let id, let welcome): compareHistory(id, welcome)
        case .setAside(let name): changeMemory(link?.id) { [memory] in try memory.setAside(name) }
        case .continueAfterLoss(let id, let welcome): continueAfterLoss(id, welcome)
        case .storeLoss(let loss): changeMemory(link?.id) { [memory] in try memory.storeProposed(loss) }
        case .admit(let id, let assignment, let logKey): admit(id, assignment, logKey)
        case .download(let number, let blob, let task):
            transferJob.begin { await self.download(number, blob, of: task) }
        case .upload(let number, let update): transferJob.begin { await self.upload(number, update) }
        case .keepModel(let number, let end, let model): transferJob.begin { await self.keepModel(number, end, model) }
        case .endTransfer: transferJob.cancel()
        case .removeModels(let kept): removeModels(keeping: kept, update: driver.pending?.manifest.update)
        case .train(let task): trainingJob.begin { await self.train(task) }
        case .stopTraining: training.stop()
        case .prepare(let task, let update): prepare(task, update)
        case .forgetTraining(let round): storageQueue.submit { [publisher] in publisher.discarded(round: round) }
        case .prepareSubmission(let id, let update): prepareSubmission(id, update)
        case .keepReceipt(let receipt, let proof, let update, let logKey): keepReceipt(receipt, proof, update, logKey)
        case .clearOutbox(let update): clearOutbox(update)
        case .report(let observation): observe(observation)
        }
    }

    private func wake(_ alarm: WorkerAlarm, _ milliseconds: Int) {
        alarms.set(alarm, afterMilliseconds: Int64(milliseconds)) { [inbox] in _ = inbox.yield(.due($0)) }
    }

    private func observe(_ observation: WorkerObservation) {
        log.observe(observation)
        switch observation {
        case .connected(let welcome):
            heardAt = clock()
            compareClocks(welcome.time)
        case .working(.finished): if configuration.exitsWhenFinished { stop() }
        default: break
        }
    }

    // MARK: Status

    private func reportStatus() async {
        var written: (heartbeat: Heartbeat, connected: Bool, waitsBecause: String?)?
        var seconds = 0
        while !Task.isCancelled {
            let (beat, connected, reason) = (heartbeat, driver.machine.isConnected, waitingReason)
            // Without changes, the file is written only every 10 seconds, so that a waiting worker causes little I/O.
            if seconds % 10 == 0 || written?.heartbeat != beat || written?.connected != connected
                || written?.waitsBecause != reason
            {
                await writeStatus()
                written = (beat, connected, reason)
            }
            seconds += 1
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func writeStatus() async {
        let status = WorkerStatus(
            site: identity.site.description,
            connected: driver.machine.isConnected,
            heartbeat: heartbeat,
            receipts: receiptCount,
            heardAt: heardAt,
            trouble: training.waitsForRoom ? Self.fullDiskProblem : driver.problem?.text,
            waitsBecause: waitingReason,
            certificateEnd: identity.chain[0].notAfter,
            certificateNotice: certificateNotice,
            clockNotice: clockNotice,
            at: clock()
        )
        try? await workers.runIfActive { [configuration] in status.write(to: configuration.dataDirectory) }
    }

    private var waitingReason: String? {
        switch driver.machine.work {
        case .resting(let reason): reason
        case .submitting: driver.postponement
        default: nil
        }
    }

    private static let fullDiskProblem = "the disk is full: the update waits for free space"

    /// The problem that is sent to the coordinator; a certificate that ends soon counts as one.
    private var reportedProblem: String {
        if training.waitsForRoom { return Self.fullDiskProblem }
        if let problem = driver.problem { return problem.summary }
        // The error itself contains names of files, so it is not sent.
        if identityProblem != nil { return "the changed certificate files are not valid" }
        return identity.notices.lazy.compactMap { $0.text(at: self.clock()) }.first ?? ""
    }

    var heartbeat: Heartbeat {
        var beat = Heartbeat(
            localLoss: training.loss.isFinite ? training.loss : 0,
            bytesUp: meter.up,
            bytesDown: meter.down,
            problem: reportedProblem,
            displayName: configuration.displayName
        )
        switch driver.machine.work {
        case .resting: beat.activity = .waiting
        case .fetching(let task):
            (beat.activity, beat.round, beat.progress) = (.fetching, task.key.round, meter.progress)
        case .training(let task):
            (beat.activity, beat.round, beat.progress) = (.training, task.key.round, training.progress)
        case .uploading(let update):
            (beat.activity, beat.round, beat.progress) = (.uploading, update.key.round, meter.progress)
        case .submitting(let update): (beat.activity, beat.round, beat.progress) = (.submitting, update.key.round, 1)
        case .keeping: (beat.activity, beat.progress) = (.fetching, meter.progress)
        case .finished: beat.activity = .idle
        }
        if driver.waitsToTryAgain { (beat.activity, beat.progress) = (.waiting, 0) }
        if meter.isPaused { beat.activity = .paused }
        return beat
    }
}
