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

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - consortium: The SPIFFE trust domain.
    ///   - time: The coordinator's time.
    ///   - ledgerEntries: The number of entries in the ledger.
    ///   - treeHead: The newest tree head: a signed note.
    ///   - campaign: The newest campaign, open or ended; `nil` if there was none.
    ///   - sites: The sites that are reported on, sorted.
    ///   - models: The names of registered models and of releases, sorted.
    ///   - problems: Descriptions of the coordinator's own problems; empty if there are none.
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

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign's name.
    ///   - phase: One of the words that the property lists.
    ///   - key: The current round and the attempt at it.
    ///   - rounds: The number of rounds of the plan.
    ///   - committed: The number of committed rounds.
    ///   - deadline: When the updates must have arrived or the attempt is abandoned; `nil` if there is no such time.
    ///   - model: The SHA-256 of the newest committed model, or of the base before the first commit.
    ///   - quorum: The smallest number of sites and of updates for a round.
    ///   - updatesInRound: The number of updates that the open round has accepted.
    ///   - updatesAccepted: The number of updates that the campaign has accepted.
    ///   - updatesRefused: The number of recorded refusals in the campaign.
    ///   - reason: Why the campaign is paused or has ended, or the attempt was abandoned; empty otherwise.
    ///   - awaited: Sites that the open round waits for, sorted.
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

    /// Creates the value from its parts; see the properties. What exceeds ``absenceBytes`` of `absence` is cut off.
    ///
    /// - Parameters:
    ///   - site: The site.
    ///   - isConnected: Whether it is connected now.
    ///   - heartbeat: Its newest heartbeat.
    ///   - updatesAccepted: The number of its updates that the campaign has accepted.
    ///   - updatesRefused: The number of its recorded refusals in the campaign.
    ///   - lastSeen: When it was last heard from; `nil` if not since the coordinator started.
    ///   - certificateEnds: When its newest certificate expires; `nil` if it was not seen since the coordinator
    ///     started.
    ///   - isKnown: Whether it has connected since the coordinator started, or the ledger holds an update from it.
    ///   - absence: Why it is not connected; empty if it is, or has not tried.
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
    /// Returns the campaign's part of a status report.
    ///
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
