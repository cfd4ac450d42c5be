/// The coordinator's report on itself for operators and auditors.
public struct StatusReport: Equatable, Sendable {
    public var consortium: String
    public var time: Timestamp
    public var ledgerEntries: UInt64
    public var treeHead: String
    public var campaign: CampaignReport?
    public var sites: [SiteReport]
    public var models: [String]
    /// Descriptions of the coordinator's own problems.
    public var problems: [String]

    public init(
        consortium: String,
        time: Timestamp,
        ledgerEntries: UInt64,
        treeHead: String,
        campaign: CampaignReport?,
        sites: [SiteReport],
        models: [String],
        problems: [String] = []
    ) {
        self.consortium = consortium
        self.time = time
        self.ledgerEntries = ledgerEntries
        self.treeHead = treeHead
        self.campaign = campaign
        self.sites = sites
        self.models = models
        self.problems = problems
    }
}

public struct CampaignReport: Equatable, Sendable {
    public var campaign: CampaignID
    /// recruiting, collecting, aggregating, paused, completed or stopped.
    public var phase: String
    public var key: RoundKey
    public var rounds: Int
    public var committed: Int
    /// While updates are collected, when they must have arrived; while sites are recruited, when the attempt is
    /// abandoned.
    public var deadline: Timestamp?
    public var model: Digest
    public var quorum: Int
    public var updatesInRound: Int
    public var updatesAccepted: Int
    public var updatesRefused: Int
    public var reason: String
    /// Sites that the open round waits for, sorted.
    public var awaited: [SiteID]

    public init(
        campaign: CampaignID,
        phase: String,
        key: RoundKey,
        rounds: Int,
        committed: Int,
        deadline: Timestamp?,
        model: Digest,
        quorum: Int,
        updatesInRound: Int,
        updatesAccepted: Int,
        updatesRefused: Int,
        reason: String,
        awaited: [SiteID] = []
    ) {
        self.campaign = campaign
        self.phase = phase
        self.key = key
        self.rounds = rounds
        self.committed = committed
        self.deadline = deadline
        self.model = model
        self.quorum = quorum
        self.updatesInRound = updatesInRound
        self.updatesAccepted = updatesAccepted
        self.updatesRefused = updatesRefused
        self.reason = reason
        self.awaited = awaited
    }

    public var hasEnded: Bool { phase == "completed" || phase == "stopped" }
}

public struct SiteReport: Equatable, Sendable {
    public var site: SiteID
    public var isConnected: Bool
    public var heartbeat: Heartbeat
    public var updatesAccepted: Int
    public var updatesRefused: Int
    /// `nil` if the site was not seen since the coordinator started.
    public var lastSeen: Timestamp?
    /// When the certificate of its newest connection expires; `nil` if the site was not seen since the coordinator
    /// started.
    public var certificateEnds: Timestamp?
    /// Whether it has connected since the coordinator started, or the ledger holds an update from it.
    public var isKnown: Bool
    /// Why it is not connected, as its last attempt showed; empty if it is connected or has not tried.
    public var absence: String

    /// The largest size of ``absence``, in bytes.
    public static let absenceBytes = 512

    public init(
        site: SiteID,
        isConnected: Bool,
        heartbeat: Heartbeat,
        updatesAccepted: Int,
        updatesRefused: Int,
        lastSeen: Timestamp?,
        certificateEnds: Timestamp? = nil,
        isKnown: Bool = true,
        absence: String = ""
    ) {
        self.site = site
        self.isConnected = isConnected
        self.heartbeat = heartbeat
        self.updatesAccepted = updatesAccepted
        self.updatesRefused = updatesRefused
        self.lastSeen = lastSeen
        self.certificateEnds = certificateEnds
        self.isKnown = isKnown
        self.absence = absence.cut(toBytes: Self.absenceBytes)
    }
}

extension CampaignState {
    /// - Parameter present: The sites that are connected now.
    public func report(present: Set<SiteID>) -> CampaignReport {
        var phase = round.phaseName
        var awaited: [SiteID] = []
        var reason = ""
        var deadline: Timestamp?
        var inRound = 0
        switch round.phase {
        case .recruiting:
            deadline = round.recruitingDeadline
            awaited = plan.sites.filter { !present.contains($0) && round.inheritance.accepted[$0] == nil }
        case .collecting(let collection):
            deadline = collection.deadline
            inRound = collection.accepted.count
            awaited = collection.cohort.filter { collection.accepted[$0] == nil }
        case .aggregating(let collection): inRound = collection.accepted.count
        case .abandoned(let abandonment): reason = abandonment.reason
        default: break
        }
        if let pause {
            phase = "paused"
            awaited = []
            reason = "paused by \(pause.change.changedBy): \(pause.change.reason)"
            deadline = nil
        }
        if let end {
            phase = end.completed ? "completed" : "stopped"
            reason = end.reason
            deadline = nil
        }
        return CampaignReport(
            campaign: plan.campaign,
            phase: phase,
            key: round.key,
            rounds: plan.rounds,
            committed: committedRounds,
            deadline: deadline,
            model: current.model,
            quorum: plan.quorum,
            updatesInRound: inRound,
            updatesAccepted: updatesAccepted,
            updatesRefused: updatesRefused,
            reason: reason,
            awaited: end == nil ? awaited : []
        )
    }
}
