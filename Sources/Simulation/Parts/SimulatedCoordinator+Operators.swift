import Coordinator
import Federation
import Ledger

/// The requests of operators, and their backups.
extension SimulatedCoordinator {
    var hasEnded: Bool { node.isUp && !driver.isUnsettled && machine.state.campaign?.end != nil }

    /// - Parameter done: Called when the coordinator says that the change is in the ledger.
    func change(_ change: CampaignChange, done: @escaping () -> Void) {
        switch (change.action, world.mistake) {
        case (.stop, .forgetStop), (.pause, .forgetPause): return done()
        case (.amend(let amendment), .forgetAmendment) where !amendment.droppedSites.isEmpty: return done()
        default: break
        }
        ask(.change(change)) { if case .recorded = $0 { done() } }
    }

    func pruneIfUp() {
        if node.isUp { ask(.prune(by: "operator/sim")) { _ in } }
    }

    // MARK: Backups

    func takeBackup() {
        guard node.isUp, !node.disk.isDead else { return }
        backup = (node.disk.backup, store.backup)
    }

    /// Replaces the whole data directory with an older copy.
    func restoreBackup() {
        guard let backup, node.isUp, store.backup.count > backup.store.count else { return }
        crash(power: false)
        world.trace("a backup of \(backup.store.count) entries is restored")
        world.count("backups restored")
        node.disk.restore(backup.disk)
        store.restore(backup.store)
        world.checker.backupRestored()
    }

    // MARK: Losses

    /// The operator waits for receipts and then declares the loss.
    func planDeclaration() {
        guard !waitsToDeclare else { return }
        waitsToDeclare = true
        later(600_000...7_200_000) { self.declareLoss() }
    }

    private func declareLoss() {
        guard let recovery = driver.recovery, let kept = try? recovery.keptEntries(ledger) else {
            return waitsToDeclare = false
        }
        let missing = (head: recovery.newest, kept: UInt64(kept))
        ask(.declareLoss(reason: "a disk was lost", by: "operator/sim", missing: missing)) { answer in
            if case .recorded = answer {
                self.waitsToDeclare = false
            } else {
                self.later(60_000) { self.declareLoss() }
            }
        }
    }
}
