import Foundation
import Logging

/// Where a training's snapshot is kept: what a worker that was killed goes on from.
struct SnapshotFile {
    let path: String
    let logger: Logger

    /// - Parameter task: the training that the snapshot must be of.
    /// - Returns: `nil` if there is no snapshot of it.
    func load(_ task: String, parameters: Int) -> TrainingSnapshot? {
        guard access(path, R_OK) == 0 else { return nil }
        return try? TrainingSnapshot(reading: path, task: task, parameters: parameters)
    }

    /// A snapshot that cannot be written costs time after a crash, and nothing else.
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
