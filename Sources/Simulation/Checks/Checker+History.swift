import Blobs
import Federation
import Identity
import Ledger
import Updates
import Wire

/// Operators' changes and restored backups: what may be lost, and what must be there.
extension Checker {
    /// A requested change may take effect even if the operator gets no answer, so it ends what an earlier one required.
    func attempting(_ change: CampaignChange) {
        switch change.action {
        case .resume: orders.isPaused = false
        case .amend(let amendment): orders.dropped.subtract(amendment.addedSites)
        case .stop, .pause: break
        }
    }

    func changed(_ change: CampaignChange) {
        switch change.action {
        case .stop: orders.isStopped = true
        case .pause: orders.isPaused = true
        case .resume: orders.isPaused = false
        case .amend(let amendment): orders.dropped.formUnion(amendment.droppedSites)
        }
    }

    /// Checks an entry against what the operator was told is done.
    func checkOrders(_ entry: Entry) {
        switch entry.body {
        case .roundOpened(let opening):
            if orders.isStopped || orders.isPaused {
                return fail("round \(opening.key) was opened in a campaign that was stopped or paused")
            }
            if let site = opening.cohort.first(where: { orders.dropped.contains($0) && oracle.timely[$0] == nil }) {
                fail("\(site) was asked although it was dropped")
            }
        case .updateAccepted(let accepted):
            if orders.isStopped || orders.isPaused {
                fail(
                    "an update of \(accepted.update.manifest.site) was accepted in a campaign that was stopped or paused"
                )
            }
        default: break
        }
    }

    func backupRestored() {
        world.trace("the checker begins anew")
        isBehind = true
        head = nil
        promises = [:]
        // What the operator was told may be lost with the entries; the operator checks, and repeats it.
        orders = Orders()
        do { referenceRun = try ReferenceRun(world.scenario.plan, base: base) } catch { fail("\(error)") }
        oracle = OracleState(model: TinyModel.values(base))
        foldedEntries = 0
        // An acknowledgement that no site has received cannot be expected to survive.
        acknowledged = acknowledged.filter { receiptedEntries[$0.key] == $0.value }
    }

    /// Everything that sites have shown is there again; another site may still have seen more.
    func historyIsWhole() {
        let ledger = world.coordinator.ledger
        isBehind = !acknowledged.allSatisfy { index, entry in
            index < ledger.count && (try? ledger.entry(at: Int(index)).wireBytes) == entry
        }
    }

    /// The loss is declared: from here on only the kept entries must be there.
    func lossIsDeclared() {
        isBehind = false
        let ledger = world.coordinator.ledger
        acknowledged = acknowledged.filter { index, entry in
            index < ledger.count && (try? ledger.entry(at: Int(index)).wireBytes) == entry
        }
        worked = [:]
    }

    /// A site accepts this head: it must extend every head that the site has accepted before, unless a loss was
    /// declared.
    func connected(_ site: SimulatedSite, _ note: String) {
        let ledger = world.coordinator.ledger
        guard let head = try? SignedTreeHead(note: note, origin: ledger.origin, key: ledger.publicKey).head else {
            return fail("\(site.id) works under a tree head that is none")
        }
        if let former = worked[site.index], former.size > head.size {
            return fail("\(site.id) has seen \(former.size) entries and works under \(head.size)")
        }
        worked[site.index] = head
    }

    func setAside(_ site: SimulatedSite) { world.count("receipts set aside") }
}
