import Blobs
import Contracts
import Federation
import Foundation
import Identity
import Logging
import Tensors
import Trainers
import Updates
import Verification

/// Makes the site's update from the result of any trainer: encodes it as the plan requires, and stores it in the site's
/// blob store, hashing it while it is written.
struct UpdatePublisher: Sendable {
    let site: SiteID
    /// The directory for error feedback.
    let directory: String
    let blobs: BlobStore
    let logger: Logger
    /// Set while the update waits because the disk is full.
    var meter: TrainingMeter?

    /// The time between two attempts on a full disk.
    private static let fullDiskSeconds = 5.0

    /// Returns the job for the trainer. The model and the adapter of `task` must be in the blob store.
    func job(for task: TrainingTask) -> TrainingJob {
        func file(_ digest: Digest) -> TrainingJob.File {
            .init(digest: digest) { [blobs] in try SafetensorsFile(blobs, digest, called: $0) }
        }
        return TrainingJob(
            campaign: task.campaign,
            key: task.key,
            rounds: task.rounds,
            training: task.training,
            model: file(task.model.digest),
            adapter: (task.adapter?.digest).map(file)
        )
    }

    /// Reads the layout of the task's model.
    ///
    /// - Throws: ``WorkerError`` if it is not the layout that the task names; `SafetensorsError` if the file cannot be
    ///   read.
    @discardableResult
    func base(of task: TrainingTask) throws -> TensorLayout {
        let name = "the model of round \(task.key)"
        let layout = try SafetensorsFile(blobs, task.model.digest, called: name).layout
        guard Digest(of: layout.canonicalBytes) == task.model.layout else {
            throw WorkerError("\(name) does not have the tensor layout that the coordinator announced")
        }
        return layout
    }

    /// Encodes the update and stores it durably. If the disk is full, waits for free space, so that hours of training
    /// are not lost.
    ///
    /// - Parameters:
    ///   - result: The result of the trainer.
    ///   - task: The task that was trained.
    ///   - check: Called while this waits. If it throws, the wait ends.
    /// - Returns: The stored update.
    /// - Throws: ``WorkerError`` if the result does not have the tensors of `task`; the error of `check`; an error if
    ///   the update cannot be written for another reason than a full disk.
    func publish(_ result: TrainingResult, of task: TrainingTask, check: () throws -> Void) throws -> TrainedUpdate {
        let trained = TrainedTensors(task.training, base: try base(of: task), round: task.key.round)
        let ranks = 1...(trained.lora?.rank ?? 1)
        guard result.rank == nil || trained.lora != nil, result.rank.map(ranks.contains) ?? true,
            result.change.elementCount == trained.layout(rank: result.rank).elementCount
        else {
            throw WorkerError("the trainer's result does not have the tensors that round \(task.key) trains")
        }
        let update = try whenThereIsRoom(check) { try write(result, of: task, UpdateFormat(trained, task.compression)) }
        return TrainedUpdate(
            digest: update.digest,
            byteCount: update.byteCount,
            samples: result.samples,
            loss: result.loss
        )
    }

    /// Must be called if the update of this round was refused or discarded: its error feedback is removed.
    func discarded(round: Int) { ErrorFeedback.forget(round: round, in: directory) }

    private func write(
        _ result: TrainingResult,
        of task: TrainingTask,
        _ format: UpdateFormat
    ) throws -> (digest: Digest, byteCount: UInt64) {
        let writer = try BlobWriter(blobs)
        func write(_ values: any ValueSource) throws {
            try format.write(values, rank: result.rank, origin: "\(site) \(task.campaign) round \(task.key.round)") {
                try SafetensorsWriter(writer, layout: $0, metadata: $1)
            }
        }
        guard task.compression.leavesRest else {
            try write(result.change)
            return try writer.publish()
        }
        let layout = format.trained.layout(rank: result.rank)
        let feedback = ErrorFeedback(
            directory: directory,
            campaign: task.campaign,
            layout: Digest(of: layout.canonicalBytes),
            count: layout.elementCount
        )
        let rest = feedback.rest(before: task.key.round)
        let whole: any ValueSource = rest.map { CombinedValues(.sum, result.change, $0) } ?? result.change
        try write(whole)
        let sent = try format.reader(SafetensorsFile(writer))
        try feedback.keep(CombinedValues(.difference, whole, sent), of: task.key.round)
        return try writer.publish()
    }

    private func whenThereIsRoom<R>(_ check: () throws -> Void, _ body: () throws -> R) throws -> R {
        while true {
            do {
                let result = try body()
                meter?.waitsForRoom = false
                return result
            } catch  where Self.isFull(error) {
                meter?.waitsForRoom = true
                logger.error(
                    "the disk is full: the update waits for free space",
                    metadata: ["hint": "free disk space in \(directory)"]
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
