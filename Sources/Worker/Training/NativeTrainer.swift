import Contracts
import Demonstrations
import Policies
import Trainers
import Blobs
import Federation
import Foundation
import Identity
import Logging
import Tensors
import Transport
import Updates
import Verification

/// Trains the built-in policy, or an adapter beside it, on the site's demonstrations, with a snapshot now and then.
struct NativeTrainer: SiteTraining {
    let demonstrations: String
    let declared: DemonstrationFiles.Declaration
    let threads: Int
    /// Components of a plan's adapters that this site trains; `nil`: as many as the plan has.
    let rank: Int?
    let snapshotSeconds: Int
    /// Where the snapshot lies.
    let directory: String
    let site: SiteID
    let blobs: BlobStore
    let logger: Logger
    /// Hears that a full disk holds the update up.
    var meter: TrainingMeter?
    var reader = DemonstrationReader()

    private var snapshotPath: String { directory + "/training.snapshot" }
    /// How often a full disk is looked at again.
    private static let fullDiskSeconds = 5.0

    func run(_ task: TrainingTask, progress: (Double, Float) throws -> Void) throws -> TrainedUpdate {
        let file = try SafetensorsFile(
            path: blobs.path(of: task.model.digest),
            called: "the model of round \(task.key)"
        )
        guard Digest(of: file.layout.canonicalBytes) == task.model.layout else {
            throw WorkerError("the model of round \(task.key) has another tensor layout than the plan says")
        }
        let policy = try Policy(file)
        try Batch.check(
            count: task.training.batch,
            policy.configuration,
            hint: "the plan wants a smaller training.batch"
        )
        let format = UpdateFormat(task.training, base: file.layout, round: task.key.round)
        let turn = try task.training.lora.map { try adapterTurn(task, format, $0, policy) }
        let demonstrations = try reader.read(
            demonstrations,
            split: .train,
            for: policy.configuration,
            declared: declared,
            scratch: directory
        ) { try progress(0, 0) }
        let outcome = try train(
            task,
            from: turn?.policy ?? policy,
            adapter: turn?.start,
            on: demonstrations,
            progress: progress
        )
        let change = turn?.change(to: outcome.adapter!) ?? zip(outcome.policy.weights, policy.weights).map { $0 - $1 }
        let update = try whenThereIsRoom({ try progress(1, Float(outcome.loss)) }) {
            try writeUpdate(change, task, format, rank: turn?.start.layout.rank)
        }
        return TrainedUpdate(
            digest: update.digest,
            byteCount: update.byteCount,
            samples: UInt32(clamping: demonstrations.count),
            loss: outcome.loss
        )
    }

    private func adapterTurn(_ task: TrainingTask, _ format: UpdateFormat, _ lora: LoRA, _ policy: Policy) throws
        -> AdapterTurn
    {
        let whole = format.adapter!
        let global: [Float]
        if let adapter = task.adapter {
            let name = "the adapter of round \(task.key)"
            let file = try SafetensorsFile(path: blobs.path(of: adapter.digest), called: name)
            guard file.layout == whole.layout else {
                throw WorkerError("\(name) has another tensor layout than the plan says")
            }
            global = try file.float32s()
            try file.layout.checkFinite(global, called: name)
        } else {
            global = whole.initialValues(seed: task.training.seed)
        }
        return try AdapterTurn(format, lora, policy: policy, global: global, rank: min(rank ?? lora.rank, lora.rank))
    }

    private func train(
        _ task: TrainingTask,
        from start: Policy,
        adapter: Adapter?,
        on demonstrations: DemonstrationSet,
        progress: (Double, Float) throws -> Void
    ) throws -> LocalTraining.Outcome {
        let training = training(task, samples: demonstrations.count)
        let name = name(of: task, demonstrations)
        let snapshot = load(name, parameters: adapter?.values.count ?? start.weights.count)
        if let snapshot {
            logger.info(
                "training goes on from its snapshot",
                metadata: ["round": "\(task.key)", "step": "\(snapshot.step)"]
            )
        }
        var saved = Date()
        do {
            return try training.run(
                from: start,
                adapter: adapter,
                on: demonstrations,
                seed: SeededGenerator(seed: task.training.seed, label: site.description, round: task.key.round),
                resuming: snapshot
            ) { step in
                do { try progress(Double(step.step) / Double(training.steps), step.loss) } catch {
                    // A worker that was stopped is to go on from here.
                    if step.step < training.steps { save(step.snapshot(), name) }
                    throw error
                }
                guard step.step < training.steps, Date().timeIntervalSince(saved) >= Double(snapshotSeconds) else {
                    return
                }
                save(step.snapshot(), name)
                saved = Date()
            }
        } catch let error as TrainingDivergence {
            // What was kept may have diverged already.
            unlink(snapshotPath)
            throw WorkerError(
                "\(error); nothing is sent. Check the values of the demonstrations with kumiai worker doctor; if "
                    + "they are right, tell the operator: "
                    + (error.step == 1
                        ? "the model cannot be computed with"
                        : "learning_rate in the plan may be too large for this site"),
                hint: "the round goes on without this site, or waits for it, as the plan's quorum says"
            )
        }
    }

    func finished(_ task: TrainingTask) { unlink(snapshotPath) }
    func discarded(round: Int) { ErrorFeedback.forget(round: round, in: directory) }

    private func training(_ task: TrainingTask, samples: Int) -> LocalTraining {
        let t = task.training
        let steps = t.steps(samples: samples)
        return LocalTraining(
            steps: steps,
            batch: t.batch,
            sampling: t.localEpochs > 0 ? .epochs : .random,
            schedule: .round(rate: t.learningRate(round: task.key.round, of: task.rounds), steps: steps),
            optimizer: AdamW.Settings(weightDecay: Float(t.weightDecay), clip: Float(t.gradientClip)),
            proximal: Float(t.proximal),
            threads: threads
        )
    }

    // MARK: Snapshots

    /// A snapshot of anything else would come to other weights.
    private func name(of task: TrainingTask, _ demonstrations: DemonstrationSet) -> String {
        """
        \(task.campaign) round \(task.key.round) of \(task.rounds), \(task.model.digest.hex), \
        \(task.adapter?.digest.hex ?? "no adapter"), \(task.training), \(demonstrations.count) samples \
        \(demonstrations.fingerprint), rank \(rank ?? 0), \(threads) threads
        """
    }

    private func load(_ name: String, parameters: Int) -> TrainingSnapshot? {
        guard access(snapshotPath, R_OK) == 0 else { return nil }
        return try? TrainingSnapshot(reading: snapshotPath, task: name, parameters: parameters)
    }

    /// A snapshot that cannot be written costs time after a crash, and nothing else.
    private func save(_ snapshot: TrainingSnapshot, _ name: String) {
        do {
            try snapshot.write(to: snapshotPath + ".new", task: name)
            try SystemDisk().rename(snapshotPath + ".new", to: snapshotPath)
        } catch {
            logger.warning("no snapshot of the training could be written", metadata: ["reason": "\(describe(error))"])
            unlink(snapshotPath + ".new")
        }
    }

    // MARK: The update

    /// The change of what was trained, in the form that the plan wants; what that form leaves out is kept for the next
    /// update.
    private func writeUpdate(
        _ change: [Float],
        _ task: TrainingTask,
        _ format: UpdateFormat,
        rank: Int?
    ) throws -> (digest: Digest, byteCount: UInt64) {
        let writer = try BlobWriter(blobs)
        let rank = rank == task.training.lora?.rank ? nil : rank
        func write(_ values: [Float]) throws {
            try format.write(values, rank: rank, origin: origin(of: task)) {
                try SafetensorsWriter(writer, layout: $0, metadata: $1)
            }
        }
        guard case .topK = task.training.compression else {
            try write(change)
            return try writer.publish()
        }
        let layout = format.layout(rank: rank)
        let feedback = ErrorFeedback(
            directory: directory,
            campaign: task.campaign,
            layout: Digest(of: layout.canonicalBytes),
            count: layout.elementCount
        )
        let wanted = zip(change, feedback.rest(before: task.key.round)).map { $0 + $1 }
        try write(wanted)
        let sent = try format.reader(SafetensorsFile(path: writer.path)).values(0..<wanted.count)
        try feedback.keep(zip(wanted, sent).map { $0 - $1 }, of: task.key.round)
        return try writer.publish()
    }

    private func origin(of task: TrainingTask) -> String { "\(site) \(task.campaign) round \(task.key.round)" }

    /// Hours of training must not be lost to a full disk: waits for room, and for `check` to throw.
    private func whenThereIsRoom<R>(_ check: () throws -> Void, _ body: () throws -> R) throws -> R {
        while true {
            do {
                let result = try body()
                meter?.waitsForRoom = false
                return result
            } catch  where Self.isFull(error) {
                meter?.waitsForRoom = true
                logger.error(
                    "the disk is full: the update waits for room",
                    metadata: ["hint": "make room in \(directory)"]
                )
            }
            try check()
            Thread.sleep(forTimeInterval: Self.fullDiskSeconds)
        }
    }

    private static func isFull(_ error: any Error) -> Bool {
        (error as? SafetensorsWriteError)?.isFull == true || (error as? BlobError)?.code == .full
    }
}
