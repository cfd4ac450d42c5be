/// The training at a site, which can be replaced.
///
/// A trainer does not handle encodings, error feedback, the outbox, full disks or the publication of updates. The
/// worker does this for all trainers.
package protocol Trainer: Sendable {
    /// Trains, and blocks the calling thread until the training ends.
    ///
    /// - Parameters:
    ///   - job: The training to do.
    ///   - progress: Call it regularly, with the completed fraction from 0 to 1 and the current loss. If it throws,
    ///     stop the training and rethrow the error.
    /// - Returns: The change of the trained values. It must be the same if the same job is trained again.
    /// - Throws: The error of `progress`; ``TrainingError`` if the training has no result.
    func train(_ job: TrainingJob, progress: (Double, Float) throws -> Void) throws -> TrainingResult
    /// Called when the worker has stored the result of `job`: snapshots of this training can be removed.
    func finished(_ job: TrainingJob)
}
