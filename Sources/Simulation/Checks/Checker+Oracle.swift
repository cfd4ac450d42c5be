import Blobs
import Federation
import Identity
import Ledger
import Updates
import Wire

/// What the ledger records must be what the oracle computes by itself.
extension Checker {
    func foldNewEntries() {
        let ledger = world.coordinator.ledger
        while foldedEntries < ledger.count, failure == nil {
            guard let entry = try? ledger.entry(at: foldedEntries) else {
                return fail("entry \(foldedEntries) cannot be read")
            }
            foldedEntries += 1
            fold(entry)
        }
    }

    func fold(_ entry: Entry) {
        checkOrders(entry)
        switch entry.body {
        case .roundOpened(let opening):
            (oracle.cohort, oracle.round) = (opening.cohort, opening.key.round)
        case .updateAccepted(let accepted): accept(accepted)
        case .roundAbandoned(let abandonment):
            world.count("rounds abandoned")
            for site in abandonment.without {
                for update in [oracle.timely.removeValue(forKey: site), oracle.late.removeValue(forKey: site)]
                    .compactMap({ $0 })
                {
                    oracle.dropped.insert(update.update.identity)
                }
            }
        case .roundExtended: world.count("deadlines extended")
        case .updateRefused: world.count("updates refused")
        case .roundCommitted(let commit): check(commit)
        case .lossDeclared: lossIsDeclared()
        case .campaignChanged(let change):
            // A dropped site is not waited for any more.
            guard case .amend(let amendment) = change.action else { break }
            let kept = oracle.cohort.filter { !amendment.droppedSites.contains($0) || oracle.timely[$0] != nil }
            oracle.cohort = kept
        default: break
        }
    }

    func accept(_ accepted: AcceptedUpdate) {
        let identity = accepted.update.identity
        guard honest[identity] != nil else {
            return fail("an update was accepted that no honest site trained: \(identity.site), round \(identity.key)")
        }
        guard oracle.accepted.insert(identity).inserted else {
            return fail("an update of \(identity.site) was accepted twice")
        }
        let age = oracle.round - identity.key.round
        var weight = min(accepted.update.manifest.samples, world.scenario.plan.bounds.weight)
        for _ in 0..<max(0, age) { weight = weight * UInt32(world.scenario.plan.staleness.weightPercent) / 100 }
        guard accepted.weight == max(1, weight) else {
            return fail("an update of \(identity.site) has the weight \(accepted.weight), the plan says \(weight)")
        }
        if age == 0 {
            oracle.timely[identity.site] = accepted
        } else {
            world.count("late updates taken")
            oracle.late[identity.site] = accepted
        }
    }

    func check(_ commit: RoundCommit) {
        let updates = Array(oracle.timely.values) + Array(oracle.late.values)
        for update in updates where !oracle.counted.insert(update.update.identity).inserted {
            return fail("an update of \(update.update.manifest.site) counts twice")
        }
        guard commit.totalWeight == updates.reduce(0, { $0 + UInt64($1.weight) }) else {
            return fail("round \(commit.key) was committed with the weight \(commit.totalWeight)")
        }
        if world.scenario.plan.training.lora == nil {
            checkModel(commit, updates)
        } else {
            checkAdapter(commit, updates)
        }
        (oracle.timely, oracle.late) = ([:], [:])
        world.count("rounds committed")
    }

    func checkModel(_ commit: RoundCommit, _ updates: [AcceptedUpdate]) {
        let contributions = updates.map { update in
            let format = TinyModel.format(world.scenario.plan, round: update.update.manifest.key.round)
            return Oracle.Contribution(
                values: TinyModel.decoded(honest[update.update.identity]!, format),
                weight: UInt64(update.weight)
            )
        }
        (oracle.model, oracle.state) = Oracle.step(
            model: oracle.model,
            state: oracle.state,
            contributions,
            scaleBits: commit.scaleBits,
            strategy: world.scenario.plan.strategy
        )
        guard Digest(of: TinyModel.file(oracle.model)) == commit.result.model else {
            return fail("round \(commit.key) was committed with another model than its updates give")
        }
        guard oracle.state.map({ Digest(of: TinyModel.stateFile($0)) }) == commit.result.serverState else {
            return fail("round \(commit.key) was committed with another server state than its updates give")
        }
    }

    func checkAdapter(_ commit: RoundCommit, _ updates: [AcceptedUpdate]) {
        do {
            let files = updates.map { honest[$0.update.identity]! }
            let cohort = max(oracle.cohort.count, updates.count)
            guard try referenceRun.step(commit, Array(zip(updates, files)), cohort: cohort) == commit.result else {
                return fail(
                    "round \(commit.key) was committed with another model, adapter or server state than its updates give"
                )
            }
            world.count("rounds with adapters")
        } catch {
            fail("round \(commit.key) cannot be computed from its updates: \(error)")
        }
    }
}
