import Aggregation
import Blobs
import Federation
import Foundation
import Tensors

/// A round computed again from its stored updates.
public struct Replay: Sendable {
    public let task: AggregationTask
    /// What the ledger says came of the round.
    public let recorded: GlobalState
    /// What comes of it here.
    public let computed: GlobalState

    public var isIdentical: Bool { recorded == computed }

    /// Computes the committed attempt of `round` of the newest campaign again.
    public static func run(_ copy: LedgerCopy, round: Int, threads: Int = 2) throws -> Replay {
        let rounds = try RoundHistory(copy).rounds
        guard let record = rounds.last(where: { $0.campaign == rounds.last?.campaign && $0.task.key.round == round && $0.commit != nil }), let commit = record.commit else {
            let known = rounds.filter { $0.commit != nil }.map(\.task.key.round)
            throw AuditError("round \(round) is not committed", hint: known.isEmpty ? "no round is" : "rounds \(known.first!) to \(known.last!) are")
        }
        let computed = try compute(record.task, blobs: try copy.blobs(), threads: threads)
        return Replay(task: record.task, recorded: commit.result, computed: computed)
    }

    private static func compute(_ task: AggregationTask, blobs: BlobStore, threads: Int) throws -> GlobalState {
        let manager = FileManager.default
        let scratch = manager.temporaryDirectory.appendingPathComponent("kumiai-replay-\(UUID().uuidString)").path
        try manager.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? manager.removeItem(atPath: scratch) }
        // A sum over damaged blobs would only say that something differs; this says what.
        for digest in [task.start.model] + (task.start.serverState.map { [$0] } ?? []) + task.contributions.map(\.update) { try blobs.verify(digest) }
        func open(_ digest: Digest) throws -> SafetensorsFile { try SafetensorsFile(path: blobs.path(of: digest)) }
        let input = BlockReducer.Input(
            model: try open(task.start.model), serverState: try task.start.serverState.map(open),
            updates: try task.contributions.map { try open($0.update) })
        let model = scratch + "/model", state = scratch + "/state"
        try BlockReducer(threads: threads).reduce(task, input, modelPath: model, statePath: state)
        let (digest, byteCount) = try BlobStore.digest(ofFile: model)
        return GlobalState(
            model: digest, modelByteCount: byteCount,
            serverState: try task.strategy.hasServerState ? BlobStore.digest(ofFile: state).digest : nil)
    }
}

/// The rounds of a ledger as an auditor reads them.
public struct RoundHistory: Sendable {
    public struct Record: Sendable {
        public let campaign: CampaignID
        public var task: AggregationTask
        public let openedAt: Timestamp
        public var cohort: [SiteID]
        public var updates: [(index: Int, update: AcceptedUpdate)] = []
        public var refusals: [RefusedUpdate] = []
        public var commit: RoundCommit?
        public var endedAt: Timestamp?
        public var abandoned: String?
    }

    public private(set) var rounds: [Record] = []

    /// Folds the entries; throws at the first that does not follow.
    public init(_ copy: LedgerCopy) throws {
        var state = ConsortiumState()
        for index in copy.entries.indices {
            let entry = try copy.entry(at: index)
            do { try state.apply(entry) } catch { throw AuditError("entry \(index) \(error.message)", hint: "kumiai audit verify names all that is wrong") }
            guard let campaign = state.campaign else { continue }
            note(entry, index, campaign)
        }
    }

    private mutating func note(_ entry: Entry, _ index: Int, _ campaign: CampaignState) {
        if case .collecting(let collection) = campaign.round.phase, case .roundOpened(let opening) = entry.body {
            rounds.append(
                Record(campaign: campaign.plan.campaign, task: campaign.round.task(collection), openedAt: entry.at, cohort: opening.cohort))
        }
        guard !rounds.isEmpty else { return }
        let last = rounds.count - 1
        switch entry.body {
        case .updateAccepted(let accepted): rounds[last].updates.append((index, accepted))
        case .updateRefused(let refused): rounds[last].refusals.append(refused)
        case .roundClosed:
            if case .aggregating(let collection) = campaign.round.phase { rounds[last].task = campaign.round.task(collection) }
        case .roundCommitted(let commit): (rounds[last].commit, rounds[last].endedAt) = (commit, entry.at)
        case .roundAbandoned(_, let reason): (rounds[last].abandoned, rounds[last].endedAt) = (reason, entry.at)
        default: break
        }
    }
}
