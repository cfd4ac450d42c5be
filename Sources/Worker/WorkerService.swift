import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Transport
import Wire

/// The worker's shell: it connects, trains and carries blobs as its machine says, and tells the machine what came of it.
public actor WorkerService {
    private let configuration: WorkerConfiguration
    private let identity: WorkerIdentity
    private let logger: Logger
    private let blobs: BlobStore
    private let outbox: Outbox
    private let trainer: SiteTrainer
    private let transfer: BlobTransfer
    private let dialer: Dialer
    private let meter = TransferMeter()
    private let training = TrainingMeter()
    /// For what blocks: training, hashing, reading.
    private let workers: NIOThreadPool
    private var machine: WorkerMachine
    private var conversation: Conversation?
    private var logKey: [UInt8] = []
    private var heartbeatSeconds = 5
    private var pending: SignedUpdate?
    private var tasks: [Task<Void, Never>] = []
    private var isStopping = false
    private let done: AsyncStream<Void>
    private let finish: AsyncStream<Void>.Continuation
    private let clock: @Sendable () -> Timestamp

    public init(_ configuration: WorkerConfiguration, logger: Logger, clock: @escaping @Sendable () -> Timestamp) throws {
        self.configuration = configuration
        self.clock = clock
        identity = try WorkerIdentity(configuration, at: clock())
        var logger = logger
        logger[metadataKey: "site"] = "\(identity.site)"
        self.logger = logger
        blobs = try BlobStore(directory: configuration.dataDirectory + "/blobs")
        blobs.removeLeftovers()
        outbox = try Outbox(directory: configuration.dataDirectory)
        workers = NIOThreadPool(numberOfThreads: 3)
        workers.start()
        dialer = Dialer(
            host: configuration.host, port: configuration.port, context: try identity.clientContext(),
            consortium: configuration.consortium, group: MultiThreadedEventLoopGroup.singleton)
        trainer = SiteTrainer(configuration: configuration, identity: identity, blobs: blobs)
        transfer = BlobTransfer(dialer: dialer, blobs: blobs, workers: workers, meter: meter)
        pending = try outbox.load()
        machine = WorkerMachine(outbox: pending.map(PreparedUpdate.init))
        (done, finish) = AsyncStream.makeStream()
    }

    /// Works until ``stop()``, or until the campaign has ended where the configuration says so.
    public func run() async throws {
        logger.info(
            "worker starts",
            metadata: ["coordinator": "\(configuration.host):\(configuration.port)", "outbox": "\(pending == nil ? "empty" : "one update")"])
        start { service in await service.connect(afterSeconds: 0) }
        start { service in await service.beat() }
        for await _ in done {}
        for task in tasks { task.cancel() }
        training.stop()
        writeStatus()
        logger.info("worker stopped", metadata: ["receipts": "\(outbox.receiptCount)"])
    }

    /// Ends ``run()``. What is in the outbox stays there for the next run.
    public func stop() {
        guard !isStopping else { return }
        isStopping = true
        logger.info("worker is stopping")
        finish.finish()
    }

    private func start(_ body: @escaping @Sendable (WorkerService) async -> Void) {
        tasks.append(Task { await body(self) })
        if tasks.count > 64 { tasks.removeFirst(32) }
    }

    // MARK: Events and effects

    private func handle(_ event: WorkerMachine.Event) {
        let before = machine.work
        perform(machine.handle(event))
        if machine.work != before { logWork() }
    }

    private func perform(_ effects: [WorkerMachine.Effect]) {
        guard !isStopping else { return }
        for effect in effects {
            switch effect {
            case .connect(let seconds): start { await $0.connect(afterSeconds: seconds) }
            case .fetch(let task): start { await $0.fetch(task) }
            case .train(let task): start { await $0.train(task) }
            case .stopTraining: training.stop()
            case .upload(let update): start { await $0.upload(update) }
            case .submit(let update): start { await $0.submit(update) }
            case .clearOutbox: clearOutbox()
            case .retry(let seconds): start { await $0.retry(afterSeconds: seconds) }
            }
        }
    }

    private func logWork() {
        switch machine.work {
        case .resting(let reason): logger.debug("resting", metadata: ["reason": "\(reason)"])
        case .fetching(let task): logger.info("fetching the model", metadata: ["round": "\(task.key)", "model": "\(task.model.digest.short)"])
        case .training(let task): logger.info("training", metadata: ["round": "\(task.key)", "steps": "\(task.training.localSteps)"])
        case .uploading(let update): logger.info("uploading", metadata: ["round": "\(update.key)", "bytes": "\(update.byteCount)", "loss": "\(update.localLoss)"])
        case .submitting(let update): logger.debug("submitting", metadata: ["round": "\(update.key)"])
        case .finished(let end):
            logger.info("campaign ended", metadata: ["campaign": "\(end.campaign)", "completed": "\(end.completed)", "reason": "\(end.reason)"])
            if configuration.exitsWhenFinished { stop() }
        }
    }

    // MARK: The link

    private func connect(afterSeconds seconds: Int) async {
        // Jitter, so that all sites do not come back at the same instant.
        let milliseconds = seconds * 1000 + (seconds > 0 ? Int.random(in: 0...500 * seconds) : 0)
        guard (try? await Task.sleep(for: .milliseconds(milliseconds))) != nil else { return }
        do {
            try await dialer.withConnection(.control, software: BlobTransfer.software) { connection in
                let conversation = Conversation(connection)
                try await self.opened(conversation, connection)
                try await conversation.run { message in
                    if case .assignment(let assignment) = message { await self.handle(.assigned(assignment)) }
                    if case .refusal(let refusal) = message { await self.refused(refusal) }
                }
            }
            logger.warning("the coordinator closed the connection")
        } catch is CancellationError {
            return
        } catch {
            logger.warning("not connected", metadata: ["reason": "\(describe(error))", "hint": "\((error as? Refusal)?.hint ?? "")"])
        }
        conversation = nil
        handle(.disconnected)
    }

    private func opened(_ conversation: Conversation, _ connection: ClientConnection) throws {
        guard let welcome = connection.welcome, let certificate = connection.certificate else { return }
        guard try certificate.publicKey.isValid(welcome.logKeySignature, for: Founding.logKeyStatement(welcome.logKey)) else {
            throw WorkerError("the coordinator's certificate does not vouch for its ledger's key")
        }
        self.conversation = conversation
        logKey = welcome.logKey
        heartbeatSeconds = max(1, welcome.heartbeatSeconds)
        logger.info("connected", metadata: ["consortium": "\(welcome.consortium)", "version": "\(welcome.version)"])
        handle(.connected)
    }

    private func refused(_ refusal: Refusal) {
        logger.warning("the coordinator refused", metadata: ["reason": "\(refusal.message)", "hint": "\(refusal.hint)"])
    }

    private func retry(afterSeconds seconds: Int) async {
        guard (try? await Task.sleep(for: .seconds(seconds))) != nil else { return }
        perform(machine.retry())
    }

    private func beat() async {
        while !isStopping {
            let heartbeat = heartbeat()
            writeStatus()
            if let conversation { start { _ in _ = try? await conversation.ask(.heartbeat(heartbeat)) } }
            // Faster than asked for while there is something to see.
            let pause = machine.taskKey == nil ? Double(heartbeatSeconds) : min(1, Double(heartbeatSeconds))
            guard (try? await Task.sleep(for: .seconds(pause))) != nil else { return }
        }
    }

    private func heartbeat() -> Heartbeat {
        var beat = Heartbeat(localLoss: training.loss.isFinite ? training.loss : 0, bytesUp: meter.up, bytesDown: meter.down)
        switch machine.work {
        case .resting: beat.activity = .waiting
        case .fetching(let task): (beat.activity, beat.round, beat.progress) = (.fetching, task.key.round, meter.progress)
        case .training(let task): (beat.activity, beat.round, beat.progress) = (.training, task.key.round, training.progress)
        case .uploading(let update): (beat.activity, beat.round, beat.progress) = (.uploading, update.key.round, meter.progress)
        case .submitting(let update): (beat.activity, beat.round, beat.progress) = (.submitting, update.key.round, 1)
        case .finished: beat.activity = .idle
        }
        return beat
    }

    private func writeStatus() {
        WorkerStatus(
            site: identity.site.description, pid: Int(getpid()), connected: machine.isConnected, heartbeat: heartbeat(),
            receipts: outbox.receiptCount, at: clock()
        ).write(to: configuration.dataDirectory)
    }

    // MARK: Work

    private func fetch(_ task: TrainingTask) async {
        do {
            try await transfer.download(task.model.digest, byteCount: task.model.byteCount)
            removeOldModels(keeping: task.model.digest)
            handle(.fetched(task.key))
        } catch {
            logger.warning("the model could not be fetched", metadata: ["round": "\(task.key)", "reason": "\(describe(error))"])
            handle(.fetchFailed(task.key, describe(error)))
        }
    }

    /// One model and one update are kept; the others can be fetched again, or are with the coordinator.
    private func removeOldModels(keeping model: Digest) {
        for digest in (try? blobs.all()) ?? [] where digest != model && digest != pending?.manifest.update { blobs.remove(digest) }
    }

    private func train(_ task: TrainingTask) async {
        let token = training.begin()
        do {
            let update = try await workers.runIfActive { [trainer, training, clock] in
                try trainer.run(task, at: clock) { try training.note($0, $1, token: token) }
            }
            guard case .training(let current) = machine.work, current == task else { return }
            try outbox.store(update)
            pending = update
            handle(.trained(PreparedUpdate(update)))
        } catch is CancellationError {
            logger.info("training stopped", metadata: ["round": "\(task.key)"])
        } catch {
            logger.error("training failed", metadata: ["round": "\(task.key)", "reason": "\(error)", "hint": "kumiai worker doctor"])
            handle(.trainingFailed(task.key, "\(error)"))
        }
    }

    private func upload(_ update: PreparedUpdate) async {
        do {
            try await transfer.upload(update.update)
            if let pending { outbox.noteSent(pending.manifest, at: clock()) }
            handle(.uploaded(update.key))
        } catch {
            logger.warning("the upload was interrupted", metadata: ["round": "\(update.key)", "reason": "\(describe(error))"])
            handle(.uploadFailed(update.key, describe(error)))
        }
    }

    private func submit(_ update: PreparedUpdate) async {
        guard let conversation, let signed = pending, signed.manifest.update == update.update else { return }
        do {
            switch try await conversation.ask(.submitUpdate(signed)) {
            case .receipt(let receipt):
                try receipt.verify(consortium: configuration.consortium, logKey: logKey, update: signed)
                try outbox.keep(receipt, of: signed)
                logger.info("update accepted", metadata: ["round": "\(update.key)", "entry": "\(receipt.index)"])
                handle(.answered(update.key, accepted: true, reason: "the update is in; waiting for the others"))
            case .updateRefused(let refusal) where refusal.reason == .blobMissing:
                logger.warning("the coordinator lacks the update; sending it again", metadata: ["round": "\(update.key)"])
                handle(.blobMissing(update.key))
            case .updateRefused(let refusal):
                logger.error(
                    "update refused",
                    metadata: ["round": "\(update.key)", "reason": "\(refusal.reason.rawValue)", "detail": "\(refusal.detail)"])
                handle(.answered(update.key, accepted: false, reason: "refused: \(refusal.reason.rawValue)"))
            default: throw TransportError(.unexpected, "the coordinator answered a submission with something else")
            }
        } catch {
            logger.warning("the submission was not answered", metadata: ["round": "\(update.key)", "reason": "\(describe(error))"])
            handle(.submissionFailed(update.key, describe(error)))
        }
    }

    private func clearOutbox() {
        outbox.clear()
        pending = nil
    }
}

extension PreparedUpdate {
    init(_ update: SignedUpdate) {
        let manifest = update.manifest
        self.init(
            campaign: manifest.campaign, key: manifest.key, update: manifest.update, byteCount: manifest.updateByteCount,
            localLoss: manifest.localLoss)
    }
}
