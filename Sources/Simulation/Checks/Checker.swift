import Blobs
import Federation
import Identity
import Ledger
import Updates
import Wire

/// Checks a world: every promise must be kept, whatever happens.
final class Checker {
    private unowned let world: World
    private var failure: Failure?
    /// The files of all updates that honest sites have trained.
    private var honest: [SignedUpdate.Identity: [UInt8]] = [:]
    /// Entries that a site was told about.
    private var acknowledged: [UInt64: [UInt8]] = [:]
    private var head: TreeHead?
    /// How many bytes of a site's blob the coordinator has reported as durable.
    private var promises: [Upload: UInt64] = [:]
    /// The update in each site's outbox.
    private var outboxes: [Int: SignedUpdate.Identity] = [:]
    private var resubmissions: Set<SignedUpdate.Identity> = []
    private var oracle: OracleState
    private var rehearsal: ReferenceRun
    private let base: [UInt8]
    /// What an operator was told is done, and must hold from then on.
    private var orders = Orders()
    /// The longest tree head that each site has accepted.
    private var worked: [Int: TreeHead] = [:]
    /// Whether an older copy of the ledger was installed and its gap is neither filled nor declared.
    private var isBehind = false

    private struct Orders {
        var isStopped = false
        var isPaused = false
        var dropped: Set<SiteID> = []
    }

    private var foldedEntries = 0

    /// How long a campaign may take to end after the faults, in milliseconds.
    static let patience: UInt64 = 20 * 24 * 3_600_000

    private struct Upload: Hashable {
        let digest: Digest
        let site: SiteID?
    }

    /// The expected results of the rounds, computed only from the ledger's entries.
    private struct OracleState {
        var model: [Float]
        var state: [Float]?
        /// Accepted updates of the open round, and late ones, by site.
        var timely: [SiteID: AcceptedUpdate] = [:]
        var late: [SiteID: AcceptedUpdate] = [:]
        var counted: Set<SignedUpdate.Identity> = []
        var dropped: Set<SignedUpdate.Identity> = []
        var accepted: Set<SignedUpdate.Identity> = []
        var cohort: [SiteID] = []
        var round = 0
    }

    init(_ world: World, base: [UInt8]) throws {
        self.world = world
        oracle = OracleState(model: TinyModel.values(base))
        self.base = base
        rehearsal = try ReferenceRun(world.scenario.plan, base: base)
    }

    func fail(_ message: String) { if failure == nil { failure = Failure(message) } }

    // MARK: Promises

    /// The update is about to be stored: if the site dies, it may be in the outbox although the site does not know it.
    func prepared(_ update: SignedUpdate, by site: SimulatedSite) {
        let work = Honest(site.index, task(update))
        honest[update.identity] = work.file(work.values)
    }

    /// The bytes of an update that an honest site has trained.
    func file(of update: SignedUpdate) -> [UInt8]? { honest[update.identity] }

    func trained(_ update: SignedUpdate, by site: SimulatedSite) { outboxes[site.index] = update.identity }

    private func task(_ update: SignedUpdate) -> TrainingTask {
        let manifest = update.manifest
        return TrainingTask(
            campaign: manifest.campaign,
            key: manifest.key,
            rounds: 1,
            model: ModelReference(digest: manifest.model, layout: manifest.layout, byteCount: 0),
            deadline: Timestamp(milliseconds: 0),
            training: world.scenario.plan.training,
            compression: world.scenario.plan.compression
        )
    }

    func acknowledged(_ receipt: Receipt) { acknowledged[receipt.index] = receipt.entry }
    /// Entries for which a site has received a receipt.
    private var heardEntries: [UInt64: [UInt8]] = [:]

    func heard(_ receipt: Receipt, by site: SimulatedSite) {
        outboxes[site.index] = nil
        heardEntries[receipt.index] = receipt.entry
        guard acknowledged[receipt.index] == receipt.entry else {
            return fail("\(site.id) holds a receipt that the coordinator never gave")
        }
    }

    func refused(_ site: SimulatedSite) { outboxes[site.index] = nil }
    func lostUpdate(of site: SimulatedSite) {
        guard outboxes[site.index] != nil else { return }
        fail("\(site.id) lost an update that was in its outbox")
    }

    func resubmitted(_ update: SignedUpdate) { resubmissions.insert(update.identity) }

    func promised(_ bytes: UInt64, of digest: Digest, to site: SiteID) {
        world.note("\(bytes) bytes of \(digest.short) of \(site) are durable")
        let upload = Upload(digest: digest, site: site)
        promises[upload] = max(bytes, promises[upload] ?? 0)
    }
    func published(_ digest: Digest, _ bytes: [UInt8]?) {
        if let bytes, Digest(of: bytes) != digest {
            fail("blob \(digest.short) was published with other bytes than its name says")
        }
    }
    /// - Parameter site: The site whose copy was discarded; `nil` for the shared store, about which no site was
    ///   promised anything.
    func discarded(_ digest: Digest, of site: SiteID? = nil) {
        world.note("\(digest.short) is given up")
        promises[Upload(digest: digest, site: site)] = nil
    }
    func resumed(_ spool: Spool, of site: SiteID) {
        guard let promise = promises[Upload(digest: spool.digest, site: site)], !spool.isComplete,
            spool.receivedBytes < promise
        else { return }
        fail("\(promise) bytes of an upload were said to be durable, \(spool.receivedBytes) are left")
    }

    // MARK: Restarts

    /// Checks after a restart that all acknowledged entries are there, and that the new history extends the old one.
    func restarted() {
        let ledger = world.coordinator.ledger
        for (index, entry) in acknowledged where !isBehind {
            guard index < ledger.count, let found = try? ledger.entry(at: Int(index)).wireBytes, found == entry else {
                return fail("entry \(index), for which a site was given a receipt, is gone or another")
            }
        }
        // A write that was in progress may have completed, although its completion was not reported.
        checkHead()
        foldNewEntries()
    }

    func restarted(_ site: SimulatedSite) {
        guard let wanted = outboxes[site.index] else { return }
        if site.pending?.identity != wanted { fail("\(site.id) lost the update that was in its outbox") }
    }

    private func checkHead() {
        let ledger = world.coordinator.ledger
        let now = ledger.head.head
        if let head {
            guard now.size >= head.size, ledger.root(size: head.size) == head.root else {
                return fail("the ledger of \(head.size) entries was not extended, but changed")
            }
        }
        head = now
    }

    func afterStep() -> Failure? {
        if failure == nil, world.coordinator.node.isUp, !world.coordinator.node.disk.isDead,
            world.coordinator.ledger.count != head?.size
        {
            checkHead()
            foldNewEntries()
        }
        return failure
    }

    func recorded(_ entry: Entry) { world.note("entry \(entry.at.milliseconds) \(Self.kind(entry.body))") }

    /// An entry's case and round; signatures are left out, because they differ between runs.
    private static func kind(_ body: Entry.Body) -> String {
        switch body {
        case .updateAccepted(let accepted):
            "accepted \(accepted.update.manifest.site) \(accepted.update.manifest.update.short)"
        case .updateRefused(let refused): "refused \(refused.site) \(refused.refusal.reason.rawValue)"
        case .roundOpened(let opening): "opened \(opening.key)"
        case .roundClosed(let key): "closed \(key)"
        case .roundCommitted(let commit): "committed \(commit.key) \(commit.result.model.short)"
        case .roundAbandoned(let abandonment): "abandoned \(abandonment.key)"
        case .roundExtended(let extended): "extended \(extended.key)"
        default: "other"
        }
    }

    // MARK: The oracle

    private func foldNewEntries() {
        let ledger = world.coordinator.ledger
        while foldedEntries < ledger.count, failure == nil {
            guard let entry = try? ledger.entry(at: foldedEntries) else {
                return fail("entry \(foldedEntries) cannot be read")
            }
            foldedEntries += 1
            fold(entry)
        }
    }

    private func fold(_ entry: Entry) {
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

    private func accept(_ accepted: AcceptedUpdate) {
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

    private func check(_ commit: RoundCommit) {
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

    private func checkModel(_ commit: RoundCommit, _ updates: [AcceptedUpdate]) {
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

    private func checkAdapter(_ commit: RoundCommit, _ updates: [AcceptedUpdate]) {
        do {
            let files = updates.map { honest[$0.update.identity]! }
            guard
                try rehearsal.step(commit, Array(zip(updates, files)), cohort: max(oracle.cohort.count, updates.count))
                    == commit.result
            else {
                return fail(
                    "round \(commit.key) was committed with another model, adapter or server state than its updates give"
                )
            }
            world.count("rounds with adapters")
        } catch {
            fail("round \(commit.key) cannot be computed from its updates: \(error)")
        }
    }

    // MARK: Operators

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
    private func checkOrders(_ entry: Entry) {
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

    // MARK: Backups

    func backupRestored() {
        world.note("the checker begins anew")
        isBehind = true
        head = nil
        promises = [:]
        // What the operator was told may be lost with the entries; the operator checks, and repeats it.
        orders = Orders()
        do { rehearsal = try ReferenceRun(world.scenario.plan, base: base) } catch { fail("\(error)") }
        oracle = OracleState(model: TinyModel.values(base))
        foldedEntries = 0
        // An acknowledgement that no site has received cannot be expected to survive.
        acknowledged = acknowledged.filter { heardEntries[$0.key] == $0.value }
    }

    /// Everything that sites have shown is there again; another site may still have seen more.
    func historyIsWhole() {
        let ledger = world.coordinator.ledger
        isBehind = !acknowledged.allSatisfy { index, entry in
            index < ledger.count && (try? ledger.entry(at: Int(index)).wireBytes) == entry
        }
    }

    /// The loss is declared: from here on only the kept entries must be there.
    private func lossIsDeclared() {
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

    // MARK: The end

    var isOver: Bool {
        guard world.now > world.scenario.faultsEnd, world.coordinator.node.isUp,
            world.coordinator.machine.state.campaign?.end != nil
        else { return false }
        return world.sites.allSatisfy(\.hasFinished)
    }

    func atTheEnd() -> Failure? {
        guard let campaign = world.coordinator.machine.state.campaign, let end = campaign.end,
            end.completed || campaign.stop != nil
        else {
            return Failure("the campaign stopped: \(world.coordinator.machine.state.campaign?.end?.reason ?? "")")
        }
        restarted()
        // Updates that a stop has cut off count in no round.
        guard end.completed else { return failure }
        let lost = oracle.accepted.subtracting(oracle.counted).subtracting(oracle.dropped)
        if failure == nil, let update = lost.first {
            fail("an accepted update of \(update.site) for round \(update.key) was never counted")
        }
        if failure == nil, !outboxes.isEmpty { fail("an update waits in an outbox although the campaign has ended") }
        return failure
    }

    // MARK: Deliberate mistakes

    /// Applies the deliberate mistake to a round's task.
    func spoil(_ task: AggregationTask) -> AggregationTask {
        guard world.mistake == .countDuplicate else { return task }
        var contributions = task.contributions
        if let twice = contributions.first(where: { c in resubmissions.contains { $0.update == c.update } }) {
            contributions.append(twice)
        }
        return AggregationTask(
            key: task.key,
            start: task.start,
            strategy: task.strategy,
            training: task.training,
            compression: task.compression,
            isLastRound: task.isLastRound,
            bound: task.bound,
            scaleBits: task.scaleBits,
            productScaleBits: task.productScaleBits,
            contributions: contributions
        )
    }
}
