import Blobs
import Federation
import Identity
import Ledger
import Updates
import Wire

/// Checks a world: every promise must be kept, whatever happens.
final class Checker {
    unowned let world: World
    var failure: Failure?
    /// The files of all updates that honest sites have trained.
    var honest: [SignedUpdate.Identity: [UInt8]] = [:]
    /// Entries that a site was told about.
    var acknowledged: [UInt64: [UInt8]] = [:]
    var head: TreeHead?
    /// How many bytes of a site's blob the coordinator has reported as durable.
    var promises: [Upload: UInt64] = [:]
    /// The update in each site's outbox.
    var outboxes: [Int: SignedUpdate.Identity] = [:]
    var resubmissions: Set<SignedUpdate.Identity> = []
    var oracle: OracleState
    var referenceRun: ReferenceRun
    let base: [UInt8]
    /// What an operator was told is done, and must hold from then on.
    var orders = Orders()
    /// The longest tree head that each site has accepted.
    var worked: [Int: TreeHead] = [:]
    /// Whether an older copy of the ledger was installed and its gap is neither filled nor declared.
    var isBehind = false

    struct Orders {
        var isStopped = false
        var isPaused = false
        var dropped: Set<SiteID> = []
    }

    var foldedEntries = 0

    /// The longest time that a campaign may take to end after the faults, in milliseconds.
    static let timeLimit: UInt64 = 20 * 24 * 3_600_000

    struct Upload: Hashable {
        let digest: Digest
        let site: SiteID?
    }

    /// The expected results of the rounds, computed only from the ledger's entries.
    struct OracleState {
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
        referenceRun = try ReferenceRun(world.scenario.plan, base: base)
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

    func task(_ update: SignedUpdate) -> TrainingTask {
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
    var receiptedEntries: [UInt64: [UInt8]] = [:]

    func receiptKept(_ receipt: Receipt, by site: SimulatedSite) {
        outboxes[site.index] = nil
        receiptedEntries[receipt.index] = receipt.entry
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
        world.trace("\(bytes) bytes of \(digest.short) of \(site) are durable")
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
        world.trace("\(digest.short) is given up")
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

    func checkHead() {
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

    func recorded(_ entry: Entry) { world.trace("entry \(entry.at.milliseconds) \(Self.kind(entry.body))") }

    /// An entry's case and round; signatures are left out, because they differ between runs.
    static func kind(_ body: Entry.Body) -> String {
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
