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

/// Turns what any trainer gives into the site's update: in the form that the plan says, hashed as it is written, in the
/// site's store.
struct UpdatePublisher: Sendable {
    let site: SiteID
    /// Where the rests of compressed updates are kept.
    let directory: String
    let blobs: BlobStore
    let logger: Logger
    /// Is told that a full disk holds the update up.
    var meter: TrainingMeter?

    /// How often a full disk is looked at again.
    private static let fullDiskSeconds = 5.0

    /// What a trainer is asked to do for `task`, whose model and adapter the site has.
    func job(for task: TrainingTask) -> TrainingJob {
        func file(_ digest: Digest) -> TrainingJob.File { .init(path: blobs.path(of: digest), digest: digest) }
        return TrainingJob(
            campaign: task.campaign,
            key: task.key,
            rounds: task.rounds,
            training: task.training,
            model: file(task.model.digest),
            adapter: (task.adapter?.digest).map(file)
        )
    }

    /// The layout of the task's model.
    ///
    /// - Throws: ``WorkerError`` if it is not the one that the task says.
    @discardableResult
    func base(of task: TrainingTask) throws -> TensorLayout {
        let name = "the model of round \(task.key)"
        let layout = try SafetensorsFile(path: blobs.path(of: task.model.digest), called: name).layout
        guard Digest(of: layout.canonicalBytes) == task.model.layout else {
            throw WorkerError("\(name) has another tensor layout than the plan says")
        }
        return layout
    }

    /// Publishes the update; durable when this returns. Hours of training must not be lost to a full disk: it waits for
    /// room.
    ///
    /// - Parameter check: called while it waits; it ends the wait by throwing.
    /// - Throws: ``WorkerError`` if the result is not one of `task`; what `check` throws.
    func publish(_ result: TrainingResult, of task: TrainingTask, check: () throws -> Void) throws -> TrainedUpdate {
        let trained = TrainedTensors(task.training, base: try base(of: task), round: task.key.round)
        let ranks = 1...(trained.lora?.rank ?? 1)
        guard result.rank == nil || trained.lora != nil, result.rank.map(ranks.contains) ?? true,
            result.change.elementCount == trained.layout(rank: result.rank).elementCount
        else {
            throw WorkerError("the trainer's result has other tensors than round \(task.key) trains")
        }
        let update = try whenThereIsRoom(check) { try write(result, of: task, UpdateFormat(trained, task.compression)) }
        return TrainedUpdate(
            digest: update.digest,
            byteCount: update.byteCount,
            samples: result.samples,
            loss: result.loss
        )
    }

    /// The update of this round was refused or given up: it counts nowhere, and the rest that it left is void.
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
        let sent = try format.reader(SafetensorsFile(path: writer.path))
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
