/// How a site trains: a plug.
///
/// A trainer knows nothing of encodings, error feedback, the outbox, full disks and publishing: these are the worker's,
/// once, for every trainer.
public protocol Trainer: Sendable {
    /// Trains, and blocks while it does.
    ///
    /// - Parameter progress: is told how much is done, from 0 to 1, and the loss; it stops the work by throwing.
    /// - Returns: what changed. It is the same if the same job is trained again.
    /// - Throws: what `progress` throws; ``TrainingError`` if there is no result.
    func train(_ job: TrainingJob, progress: (Double, Float) throws -> Void) throws -> TrainingResult
    /// The result of `job` is safe elsewhere: what was kept to go on with it can be removed.
    func finished(_ job: TrainingJob)
}
