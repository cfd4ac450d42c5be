import Foundation
import Logging

/// The file with the snapshot of a training, from which a killed worker resumes.
struct SnapshotFile {
    let path: String
    let logger: Logger

    /// - Parameters:
    ///   - task: The name of the training that the snapshot must belong to.
    ///   - parameters: The expected number of weights.
    /// - Returns: The snapshot; `nil` if there is none of this training.
    func load(_ task: String, parameters: Int) -> TrainingSnapshot? {
        guard access(path, R_OK) == 0 else { return nil }
        return try? TrainingSnapshot(reading: path, task: task, parameters: parameters)
    }

    /// Saves a snapshot. A failure is only logged, because a missing snapshot costs only time after a crash.
    func save(_ snapshot: TrainingSnapshot, _ task: String) {
        let draft = path + ".new"
        do {
            try snapshot.write(to: draft, task: task)
            guard rename(draft, path) == 0 else { throw TrainingError(String(cString: strerror(errno))) }
        } catch {
            logger.warning("no snapshot of the training could be written", metadata: ["reason": "\(error)"])
            unlink(draft)
        }
    }

    func remove() { unlink(path) }
}
