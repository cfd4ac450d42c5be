import Blobs
import Federation
import Logging
import Transport

/// What follows from the round's decisions: its computation, its lines in the log, and what is removed at its end.
extension CoordinatorService {
    /// A full disk or a damaged model must not cost the round: it waits until somebody has fixed it.
    ///
    /// Nothing is computed twice at a time, and what another task has taken the place of is not heard of any more.
    func aggregate(_ task: AggregationTask) {
        guard aggregating != task else { return }
        aggregating = task
        let aggregation = RoundAggregation(blobs: blobs, threads: configuration.aggregationThreads)
        Task {
            while !isStopping {
                guard let outcome = try? await workers.runIfActive({ aggregation.attempt(task) }), aggregating == task else { return }
                switch outcome {
                case .done(let result):
                    aggregating = nil
                    return handle(.aggregated(task.key, result))
                case .lost(let reason, let sites):
                    aggregating = nil
                    // A copy that was left would answer for the one that is lost, and may be the same file.
                    for lost in task.contributions where sites.contains(lost.site) { incoming.remove(lost.update, of: lost.site) }
                    logger.error("round is abandoned: updates were lost", metadata: ["round": "\(task.key)", "reason": "\(reason)"])
                    return handle(.aggregationFailed(task.key, reason, without: sites))
                case .blocked(let reason):
                    logger.critical(
                        "the round cannot be computed; trying again",
                        metadata: [
                            "round": "\(task.key)", "reason": "\(reason)", "hint": "make room on the disk, or restore the blob that is named from a backup",
                        ])
                }
                guard (try? await pause(for: .seconds(Self.retrySeconds))) != nil else { return }
            }
        }
    }

    func recorded(_ entry: Entry) {
        switch entry.body {
        case .roundOpened(let opening): logger.info("round opened", metadata: ["round": "\(opening.key)", "cohort": "\(opening.cohort.count)"])
        case .roundExtended(let extended):
            logger.warning("deadline extended", metadata: ["round": "\(extended.key)", "reason": "\(extended.reason)"])
        case .roundCommitted(let commit):
            logger.info("round committed", metadata: ["round": "\(commit.key)", "model": "\(commit.result.model.short)"])
            roundEnded(wasAbandoned: false)
        case .roundAbandoned(let abandonment):
            logger.warning("round abandoned", metadata: ["round": "\(abandonment.key)", "reason": "\(abandonment.reason)"])
            roundEnded(wasAbandoned: true)
        case .campaignChanged(let change):
            logger.notice(
                "campaign changed",
                metadata: ["campaign": "\(change.campaign)", "action": "\(change.action.name)", "by": "\(change.changedBy)", "reason": "\(change.reason)"])
        case .campaignEnded(let end):
            logger.info("campaign ended", metadata: ["campaign": "\(end.campaign)", "completed": "\(end.completed)", "reason": "\(end.reason)"])
        case .updatesPruned(let pruning):
            logger.info(
                "updates pruned", metadata: ["campaign": "\(pruning.campaign)", "through_round": "\(pruning.throughRound)", "by": "\(pruning.prunedBy)"])
        default: break
        }
    }

    private func roundEnded(wasAbandoned: Bool) {
        Task { await spools.roundEnded() }
        do {
            let removed = try sweeper.sweep(needed: machine.state.neededBlobs, wasAbandoned: wasAbandoned)
            if !removed.isEmpty { logger.info("removed blobs that nothing needs", metadata: ["count": "\(removed.count)"]) }
        } catch {
            logger.warning("unneeded blobs were not removed", metadata: ["reason": "\(error)"])
        }
    }
}
