import Blobs
import Federation
import Foundation
import Identity
import Logging
import NIOCore
import NIOPosix
import Transport
import Wire

/// The worker's shell: it connects, trains and carries blobs as its machine says, and tells the machine what came of it.
public actor WorkerService {
    let configuration: WorkerConfiguration
    var reloading: ReloadingIdentity<WorkerIdentity>
    var identity: WorkerIdentity { reloading.current }
    var reminder = CertificateReminder()
    /// Why the certificate files that lie there now are not in use.
    var identityTrouble: String?
    /// How far apart the coordinator's clock and this one were when it last said its time, where that is too far.
    var clockNotice: String?
    let logger: Logger
    let blobs: BlobStore
    let outbox: Outbox
    let memory: LedgerMemory
    let sent: SentLog
    let trainer: any SiteTraining
    let transfer: BlobTransfer
    let dialer: Dialer
    let meter = TransferMeter()
    let training = TrainingMeter()
    /// For what blocks: training, hashing, reading.
    let workers: NIOThreadPool
    let clock: @Sendable () -> Timestamp
    private var lock: DirectoryLock?
    private(set) var machine: WorkerMachine
    /// The signed update that waits for its answer.
    var pending: SignedUpdate?
    var link: WorkerLink?
    /// An assignment that came before the coordinator's ledger was checked.
    var heldBack: Assignment?
    var heardAt: Timestamp?
    var trouble: SiteTrouble?
    /// Why the coordinator does not take the update that is ready; `nil`: it was not asked, or has taken it.
    var postponement: String?
    var receiptCount: Int { memory.receiptCount }
    private var linking: Task<Void, Never>?
    /// One at a time: two would displace each other at the coordinator, and write one file.
    private var carrying: Task<Void, Never>?
    private var retrying: Task<Void, Never>?
    private var learning: Task<Void, Never>?
    private(set) var isStopping = false
    private let done: AsyncStream<Void>
    private let finish: AsyncStream<Void>.Continuation

    /// `trainer`: the built-in one where there is none. `workers`: a pool of its own where there is none.
    public init(
        _ configuration: WorkerConfiguration, logger: Logger, trainer: (any SiteTraining)? = nil, workers: NIOThreadPool? = nil,
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
        lock = try Self.lock(configuration.dataDirectory)
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
        dialer = identity.dialer(configuration, reloading.contexts)
        let native = NativeTrainer(
            demonstrations: configuration.demonstrations, declared: configuration.declared, threads: configuration.threads,
            rank: configuration.rank, snapshotSeconds: configuration.snapshotSeconds,
            directory: configuration.dataDirectory, site: identity.site, blobs: blobs, logger: logger, meter: training)
        if let trainer { self.trainer = trainer } else { self.trainer = native }
        transfer = BlobTransfer(
            dialer: dialer, blobs: blobs, workers: self.workers, meter: meter, upload: configuration.upload, download: configuration.download,
            check: DownloadCheck(blobs: blobs, largestBytes: configuration.largestModelBytes), clock: clock,
            knownLogKey: { [configuration] in FileManager.default.contents(atPath: configuration.dataDirectory + "/log-key").map(Array.init) }
        ) { [logger] digest, offset in
            logger.info("transfer begins", metadata: ["blob": "\(digest.short)", "at_byte": "\(offset)"])
        }
        pending = try outbox.load()
        machine = WorkerMachine(outbox: pending.map(PreparedUpdate.init))
        (done, finish) = AsyncStream.makeStream()
    }

    private static func lock(_ directory: String) throws -> DirectoryLock {
        do {
            return try DirectoryLock(directory)
        } catch let error as BlobError where error.code == .busy {
            throw WorkerError(error.message, hint: "another worker runs on this directory: stop it first")
        }
    }

    // MARK: Running

    /// Works until ``stop()``, or until the campaign has ended where the configuration says so.
    public func run() async throws {
        logger.info(
            "worker starts",
            metadata: ["coordinator": "\(configuration.host):\(configuration.port)", "outbox": "\(pending == nil ? "empty" : "one update")"])
        linking = Task { await self.connect(afterMilliseconds: 0) }
        let reporting = Task { await self.reportStatus() }
        let watching = Task { await self.watchIdentity() }
        for await _ in done {}
        training.stop()
        let tasks = [linking, carrying, retrying, reporting, watching, learning]
        for task in tasks { task?.cancel() }
        // What a transfer has received is made durable, and the coordinator hears a close.
        for task in tasks { await task?.value }
        writeStatus()
        lock = nil
        logger.info("worker stopped", metadata: ["receipts": "\(receiptCount)"])
    }

    /// Ends ``run()``. What is in the outbox stays there for the next run.
    public func stop() {
        guard !isStopping else { return }
        isStopping = true
        logger.info("worker is stopping")
        finish.finish()
    }

    // MARK: Events and effects

    func handle(_ event: WorkerMachine.Event) {
        guard !isStopping else { return }
        let before = machine.work
        let effects = machine.handle(event)
        for effect in effects { perform(effect) }
        guard machine.work != before else { return }
        logWork()
        switch machine.work {
        // What was wrong with a task that is over is wrong no more.
        case .resting, .finished: if case .resting = before {} else { trouble = nil }
        default: break
        }
    }

    private func perform(_ effect: WorkerMachine.Effect) {
        switch effect {
        case .connect(let seconds):
            // Jitter, so that all sites do not come back at the same instant.
            let milliseconds = seconds * 1000 + Int.random(in: 0...500 * max(1, seconds))
            linking = Task { await self.connect(afterMilliseconds: milliseconds) }
        case .reconnect: link?.close()
        case .fetch(let task): carry { await $0.fetch(task) }
        case .upload(let update): carry { await $0.upload(update) }
        case .submit(let update): carry { await $0.submit(update) }
        case .keep(let end, let model): carry { await $0.keep(end, model) }
        case .train(let task): startTraining(task)
        case .stopTraining: training.stop()
        case .clearOutbox: clearOutbox()
        case .retry(let seconds):
            retrying?.cancel()
            retrying = Task {
                guard (try? await pause(for: .seconds(seconds))) != nil else { return }
                self.handle(.retryDue)
            }
        }
    }

    /// Begins a transfer when the one before it has ended.
    private func carry(_ body: @escaping @Sendable (WorkerService) async -> Void) {
        retrying?.cancel()
        let former = carrying
        former?.cancel()
        carrying = Task {
            await former?.value
            guard !Task.isCancelled else { return }
            await body(self)
        }
    }

    /// A coordinator whose history does not hold gets not one byte more; what has arrived on either side is kept.
    func stopTransfer() {
        retrying?.cancel()
        carrying?.cancel()
    }

    /// Begins a training when the one before it has ended.
    private func startTraining(_ task: TrainingTask) {
        let former = learning
        former?.cancel()
        learning = Task {
            await former?.value
            await self.train(task)
        }
    }

    private func logWork() {
        switch machine.work {
        case .resting(let reason): logger.info("waiting", metadata: ["reason": "\(reason)"])
        case .fetching(let task): logger.info("fetching the model", metadata: ["round": "\(task.key)", "model": "\(task.model.digest.short)"])
        case .training(let task):
            logger.info("training", metadata: ["round": "\(task.key)", "length": "\(task.training.length)"])
        case .uploading(let update):
            logger.info("uploading", metadata: ["round": "\(update.key)", "bytes": "\(update.byteCount)", "loss": "\(update.localLoss)"])
        case .keeping(let end, let model):
            logger.info("fetching the final model", metadata: ["campaign": "\(end.campaign)", "model": "\(model.digest.short)"])
        case .submitting(let update): logger.debug("submitting", metadata: ["round": "\(update.key)"])
        case .finished(let end):
            logger.info("campaign ended", metadata: ["campaign": "\(end.campaign)", "completed": "\(end.completed)", "reason": "\(end.reason)"])
            if configuration.exitsWhenFinished { stop() }
        }
    }

    // MARK: Status

    private func reportStatus() async {
        var written: (heartbeat: Heartbeat, connected: Bool, waitsBecause: String?)?
        var seconds = 0
        while !Task.isCancelled {
            let (beat, connected, reason) = (heartbeat, machine.isConnected, waitingReason)
            // A file a second for nothing new would be the most that a waiting worker does.
            if seconds % 10 == 0 || written?.heartbeat != beat || written?.connected != connected || written?.waitsBecause != reason {
                writeStatus()
                written = (beat, connected, reason)
            }
            seconds += 1
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func writeStatus() {
        WorkerStatus(
            site: identity.site.description, connected: machine.isConnected, heartbeat: heartbeat, receipts: receiptCount,
            heardAt: heardAt, trouble: training.waitsForRoom ? Self.roomTrouble : trouble?.text, waitsBecause: waitingReason,
            certificateEnd: identity.chain[0].notAfter,
            certificateNotice: certificateNotice, clockNotice: clockNotice, at: clock()
        ).write(to: configuration.dataDirectory)
    }

    private var waitingReason: String? {
        switch machine.work {
        case .resting(let reason): reason
        case .submitting: postponement
        default: nil
        }
    }

    private static let roomTrouble = "the disk is full: the update waits for room"

    /// What the coordinator hears of this site's trouble; a certificate that ends soon counts as one.
    private var toldTrouble: String {
        if training.waitsForRoom { return Self.roomTrouble }
        if let trouble { return trouble.summary }
        // An error about files names them, and stays here.
        if identityTrouble != nil { return "the certificate's files were changed and do not hold" }
        return identity.notices.lazy.compactMap { $0.text(at: self.clock()) }.first ?? ""
    }

    var heartbeat: Heartbeat {
        var beat = Heartbeat(
            localLoss: training.loss.isFinite ? training.loss : 0, bytesUp: meter.up, bytesDown: meter.down, trouble: toldTrouble,
            displayName: configuration.displayName)
        switch machine.work {
        case .resting: beat.activity = .waiting
        case .fetching(let task): (beat.activity, beat.round, beat.progress) = (.fetching, task.key.round, meter.progress)
        case .training(let task): (beat.activity, beat.round, beat.progress) = (.training, task.key.round, training.progress)
        case .uploading(let update): (beat.activity, beat.round, beat.progress) = (.uploading, update.key.round, meter.progress)
        case .submitting(let update): (beat.activity, beat.round, beat.progress) = (.submitting, update.key.round, 1)
        case .keeping: (beat.activity, beat.progress) = (.fetching, meter.progress)
        case .finished: beat.activity = .idle
        }
        if meter.isPaused { beat.activity = .paused }
        return beat
    }
}
