import Federation
import Logging
import Transport

/// Writes observations to the coordinator's log.
struct CoordinatorLog: Sendable {
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func observe(_ observation: CoordinatorObservation) {
        switch observation {
        case .recorded(let entry): recorded(entry)
        case .siteConnected(let site, let again):
            logger.info(again ? "site connected again" : "site connected", metadata: ["site": "\(site)"])
        case .siteDisconnected(let site): logger.info("site disconnected", metadata: ["site": "\(site)"])
        case .turnedAway: break
        case .updateAccepted(let manifest, let index):
            logger.info(
                "update accepted",
                metadata: [
                    "site": "\(manifest.site)", "round": "\(manifest.key)", "entry": "\(index)",
                    "loss": "\(manifest.localLoss)",
                ]
            )
        case .updateRefused(let manifest, let site, let refusal):
            logger.warning(
                "update refused",
                metadata: [
                    "site": "\(site)", "round": "\(manifest.key)", "reason": "\(refusal.reason.rawValue)",
                    "detail": "\(refusal.detail)",
                ]
            )
        case .campaignOpened(let campaign, let name):
            logger.info("campaign opened", metadata: ["campaign": "\(campaign)", "by": "\(name)"])
        case .modelRegistered(let name, let digest, let by):
            logger.info("model registered", metadata: ["name": "\(name)", "model": "\(digest.short)", "by": "\(by)"])
        case .clockCorrected(let correction):
            logger.warning(
                "the clock was corrected",
                metadata: ["by": "\(correction.correctedBy)", "reason": "\(correction.reason)"]
            )
        case .updatesLost(let key, let reason):
            logger.error("round is abandoned: updates were lost", metadata: ["round": "\(key)", "reason": "\(reason)"])
        case .computationBlocked(let key, let reason):
            logger.critical(
                "the round cannot be computed; trying again",
                metadata: [
                    "round": "\(key)", "reason": "\(reason)",
                    "hint": "free disk space, or restore the named blob from a backup",
                ]
            )
        case .undecided(let reason, let hint):
            logger.critical("nothing can be decided", metadata: ["reason": "\(reason)", "hint": "\(hint)"])
        case .fault(let reason):
            logger.critical(
                "an entry was decided that does not follow: a defect of this program",
                metadata: ["reason": "\(reason)"]
            )
        case .startupWaitBegan, .historyMissing, .lostEntryShown, .entriesRestored, .historyIsWhole, .lossDeclared:
            history(observation)
        }
    }

    private func history(_ observation: CoordinatorObservation) {
        switch observation {
        case .startupWaitBegan(let end):
            logger.info(
                "waiting for the sites before deciding anything",
                metadata: [
                    "until": "\(end.text)",
                    "hint": "the wait ends early when all sites are connected, or after 30 s when a quorum is",
                ]
            )
        case .historyMissing(let head, let site, let entries):
            logger.critical(
                "this ledger lacks entries that a site has seen: nothing is decided",
                metadata: [
                    "site": "\(site)", "seen": "\(head.head.size)", "entries": "\(entries)",
                    "hint":
                        """
                    was an older backup restored? receipts of connecting sites are collected; kumiai coordinator \
                    status shows the progress
                    """,
                ]
            )
        case .lostEntryShown(let index, let site):
            logger.notice("a lost entry was shown", metadata: ["site": "\(site)", "entry": "\(index)"])
        case .entriesRestored(let count, let entries):
            logger.notice(
                "entries were restored from receipts",
                metadata: ["restored": "\(count)", "entries": "\(entries)"]
            )
        case .historyIsWhole(let entries):
            logger.notice("the ledger is whole again", metadata: ["entries": "\(entries)"])
        case .lossDeclared(let loss, let lost):
            logger.critical(
                "a loss was declared",
                metadata: ["by": "\(loss.declaredBy)", "reason": "\(loss.reason)", "lost": "\(lost)"]
            )
        default: break
        }
    }

    private func recorded(_ entry: Entry) {
        switch entry.body {
        case .roundOpened(let opening):
            logger.info("round opened", metadata: ["round": "\(opening.key)", "cohort": "\(opening.cohort.count)"])
        case .roundExtended(let extended):
            logger.warning("deadline extended", metadata: ["round": "\(extended.key)", "reason": "\(extended.reason)"])
        case .roundCommitted(let commit):
            logger.info(
                "round committed",
                metadata: ["round": "\(commit.key)", "model": "\(commit.result.model.short)"]
            )
        case .roundAbandoned(let abandonment):
            logger.warning(
                "round abandoned",
                metadata: ["round": "\(abandonment.key)", "reason": "\(abandonment.reason)"]
            )
        case .campaignChanged(let change):
            logger.notice(
                "campaign changed",
                metadata: [
                    "campaign": "\(change.campaign)", "action": "\(change.action.name)", "by": "\(change.changedBy)",
                    "reason": "\(change.reason)",
                ]
            )
        case .campaignEnded(let end):
            logger.info(
                "campaign ended",
                metadata: ["campaign": "\(end.campaign)", "completed": "\(end.completed)", "reason": "\(end.reason)"]
            )
        case .updatesPruned(let pruning):
            logger.info(
                "updates pruned",
                metadata: [
                    "campaign": "\(pruning.campaign)", "through_round": "\(pruning.throughRound)",
                    "by": "\(pruning.prunedBy)",
                ]
            )
        default: break
        }
    }

    // MARK: Files

    func swept(_ count: Int) {
        if count > 0 { logger.info("removed blobs that nothing needs", metadata: ["count": "\(count)"]) }
    }

    func cannotSweep(_ error: any Error) {
        logger.warning("unneeded blobs were not removed", metadata: ["reason": "\(error)"])
    }

    func cannotStoreMissingHistory(_ path: String, _ error: any Error) {
        logger.critical(
            "it cannot be noted that the ledger lacks entries; sites show it again after a restart",
            metadata: ["file": "\(path)", "reason": "\(error)"]
        )
    }

    func cannotRead(entry index: UInt64, _ error: any Error) {
        logger.critical("an entry of the ledger cannot be read", metadata: ["entry": "\(index)", "reason": "\(error)"])
    }
}
