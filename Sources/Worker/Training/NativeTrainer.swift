import Blobs
import Federation
import Foundation
import Identity
import Learning
import Logging
import Tensors

/// Trains the built-in policy on the site's demonstrations, with a snapshot now and then.
struct NativeTrainer: SiteTraining {
    let demonstrations: String
    let threads: Int
    let snapshotSeconds: Int
    /// Where the snapshot lies.
    let directory: String
    let site: SiteID
    let blobs: BlobStore
    let logger: Logger

    private var snapshotPath: String { directory + "/training.snapshot" }
    /// How often a full disk is looked at again.
    private static let fullDiskSeconds = 5.0

    func run(_ task: TrainingTask, progress: (Double, Float) throws -> Void) throws -> TrainedUpdate {
        let file = try SafetensorsFile(path: blobs.path(of: task.model.digest))
        guard Digest(of: file.layout.canonicalBytes) == task.model.layout else {
            throw WorkerError("the model of round \(task.key) has another tensor layout than the plan says")
        }
        let policy = try Policy(file)
        let demonstrations = try DemonstrationReader().read(demonstrations, split: .train, for: policy.configuration, scratch: directory)
        let name = name(of: task, samples: demonstrations.count)
        let snapshot = load(name, parameters: policy.weights.count)
        if let snapshot { logger.info("training goes on from its snapshot", metadata: ["round": "\(task.key)", "step": "\(snapshot.step)"]) }
        var saved = Date()
        let outcome = try training(task).run(
            from: policy, on: demonstrations,
            seed: SeededGenerator(seed: task.training.seed, label: site.description, round: task.key.round), resuming: snapshot
        ) { step in
            try progress(Double(step.step) / Double(task.training.localSteps), step.loss)
            guard step.step < task.training.localSteps, Date().timeIntervalSince(saved) >= Double(snapshotSeconds) else { return }
            save(step.snapshot(), name)
            saved = Date()
        }
        let update = try whenThereIsRoom({ try progress(1, Float(outcome.loss)) }) { try writeUpdate(from: policy, to: outcome.policy) }
        return TrainedUpdate(
            digest: update.digest, byteCount: update.byteCount, samples: UInt32(clamping: demonstrations.count), loss: outcome.loss)
    }

    func finished(_ task: TrainingTask) { unlink(snapshotPath) }

    private func training(_ task: TrainingTask) -> LocalTraining {
        let t = task.training
        return LocalTraining(
            steps: t.localSteps, batch: t.batch,
            schedule: .round(rate: t.learningRate(round: task.key.round, of: task.rounds), steps: t.localSteps),
            optimizer: AdamW.Settings(weightDecay: Float(t.weightDecay), clip: Float(t.gradientClip)),
            threads: threads)
    }

    // MARK: Snapshots

    /// A snapshot of anything else would come to other weights.
    private func name(of task: TrainingTask, samples: Int) -> String {
        "\(task.campaign) round \(task.key.round) of \(task.rounds), \(task.model.digest.hex), \(task.training), \(samples) samples, \(threads) threads"
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
            logger.warning("no snapshot of the training could be written", metadata: ["reason": "\(error)"])
            unlink(snapshotPath + ".new")
        }
    }

    // MARK: The update

    /// The pseudo-gradient: local minus global weights, in the layout of the base.
    private func writeUpdate(from start: Policy, to end: Policy) throws -> (digest: Digest, byteCount: UInt64) {
        let path = blobs.temporaryPath()
        defer { blobs.discard(path) }
        let writer = try SafetensorsWriter(path: path, layout: start.layout)
        try writer.append(zip(end.weights, start.weights).map { $0 - $1 })
        try writer.finish()
        return try blobs.adopt(path)
    }

    /// Hours of training must not be lost to a full disk: waits for room, and for `check` to throw.
    private func whenThereIsRoom<R>(_ check: () throws -> Void, _ body: () throws -> R) throws -> R {
        while true {
            do {
                return try body()
            } catch let error as SafetensorsWriteError where error.isFull {
                logger.error("the disk is full: the update waits for room", metadata: ["hint": "make room in \(directory)"])
            } catch let error as BlobError where error.code == .full {
                logger.error("the disk is full: the update waits for room", metadata: ["hint": "make room in \(directory)"])
            }
            try check()
            Thread.sleep(forTimeInterval: Self.fullDiskSeconds)
        }
    }
}
