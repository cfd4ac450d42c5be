import Federation
import Logging
import Wire

/// Writes a worker's observations to its log.
struct WorkerLog: Sendable {
    private let logger: Logger
    private let directory: String

    init(_ logger: Logger, directory: String) {
        self.logger = logger
        self.directory = directory
    }

    func observe(_ observation: WorkerObservation) {
        switch observation {
        case .connected(let welcome):
            logger.info(
                "connected",
                metadata: ["consortium": "\(welcome.consortium)", "version": "\(welcome.version)"]
            )
        case .notConnected(let failure):
            logger.warning("not connected", metadata: ["reason": "\(failure.reason)", "hint": "\(failure.hint)"])
        case .continuedAfterLoss(let loss):
            logger.warning(
                "continuing after a declared loss",
                metadata: ["reason": "\(loss.reason)", "by": "\(loss.declaredBy)"]
            )
        case .assignmentNotFollowed(let reason):
            logger.error(
                "an assignment is not followed",
                metadata: ["reason": "\(reason)", "hint": "ask the consortium's operator and auditors"]
            )
        case .working(let work): working(work)
        case .refused(let refusal):
            logger.warning(
                "the coordinator refused a request",
                metadata: ["reason": "\(refusal.message)", "hint": "\(refusal.hint)"]
            )
        case .failed, .trainingFailed: failed(observation)
        case .updateLost, .updateAccepted, .updateRefused, .updateMissing, .updatePostponed: updates(observation)
        }
    }

    private func failed(_ observation: WorkerObservation) {
        switch observation {
        case .failed(let what, let key, let failure):
            let room =
                failure.kind == .noRoom ? "free disk space in \(directory); the worker continues by itself" : ""
            logger.warning(
                "\(what)",
                metadata: [
                    "round": "\(key.map(\.description) ?? "")", "reason": "\(failure.reason)",
                    "hint": "\(failure.hint.isEmpty ? room : failure.hint)",
                ]
            )
        case .trainingFailed(let key, let failure):
            logger.error(
                "training failed",
                metadata: [
                    "round": "\(key)", "reason": "\(failure.reason)",
                    "hint": "\(failure.hint.isEmpty ? Self.trainingHint : failure.hint); the training is retried",
                ]
            )
        default: break
        }
    }

    private static let trainingHint = "run kumiai worker doctor"

    private func updates(_ observation: WorkerObservation) {
        switch observation {
        case .updateLost(let key, let failure):
            logger.error(
                "the update was lost on this site's disk; training again",
                metadata: ["round": "\(key)", "reason": "\(failure.reason)"]
            )
        case .updateAccepted(let key, let entry):
            logger.info("update accepted", metadata: ["round": "\(key)", "entry": "\(entry)"])
        case .updateRefused(let key, let refusal):
            logger.error(
                "update refused",
                metadata: ["round": "\(key)", "reason": "\(refusal.reason.rawValue)", "detail": "\(refusal.detail)"]
            )
        case .updateMissing(let key):
            logger.info("the coordinator lacks the update; sending it", metadata: ["round": "\(key)"])
        case .updatePostponed(let key, let reason):
            logger.warning("the update waits", metadata: ["round": "\(key)", "reason": "\(reason)"])
        default: break
        }
    }

    private func working(_ work: WorkerMachine.Work) {
        switch work {
        case .resting(let reason): logger.info("waiting", metadata: ["reason": "\(reason)"])
        case .fetching(let task):
            logger.info(
                "fetching the model",
                metadata: ["round": "\(task.key)", "model": "\(task.model.digest.short)"]
            )
        case .training(let task):
            logger.info("training", metadata: ["round": "\(task.key)", "length": "\(task.training.length)"])
        case .uploading(let update):
            logger.info(
                "uploading",
                metadata: ["round": "\(update.key)", "bytes": "\(update.byteCount)", "loss": "\(update.localLoss)"]
            )
        case .keeping(let end, let model):
            logger.info(
                "fetching the final model",
                metadata: ["campaign": "\(end.campaign)", "model": "\(model.digest.short)"]
            )
        case .submitting(let update): logger.debug("submitting", metadata: ["round": "\(update.key)"])
        case .finished(let end):
            logger.info(
                "campaign ended",
                metadata: ["campaign": "\(end.campaign)", "completed": "\(end.completed)", "reason": "\(end.reason)"]
            )
        }
    }
}
