/// What an operator does to an open campaign, and why.
public struct CampaignChange: Equatable, Sendable {
    public enum Action: Equatable, Sendable {
        /// Ends the campaign; its committed rounds stay and can be released.
        case stop
        /// Nothing opens, closes or takes updates until ``resume``; deadlines move by as long as that lasts.
        case pause
        case resume
        case amend(PlanAmendment)

        /// `stop`, `pause`, `resume` or `amend`.
        public var name: String {
            switch self {
            case .stop: "stop"
            case .pause: "pause"
            case .resume: "resume"
            case .amend: "amend"
            }
        }

        /// `stopped`, `paused`, `resumed` or `amended`.
        public var verb: String {
            switch self {
            case .stop: "stopped"
            case .pause: "paused"
            case .resume: "resumed"
            case .amend: "amended"
            }
        }

        /// What an amendment changes, in brackets; empty for other actions.
        public var details: String {
            guard case .amend(let amendment) = self else { return "" }
            return " (" + amendment.fields.map { "\($0.name) \($0.value)" }.joined(separator: "; ") + ")"
        }
    }

    public let campaign: CampaignID
    public let action: Action
    public let reason: String
    /// `operator/<name>`.
    public let changedBy: String

    /// Bytes of a reason at most.
    public static let reasonBytes = 1024

    /// Whether people can read it as a reason: not blank, and not too long.
    static func isReason(_ text: String) -> Bool {
        text.utf8.count <= reasonBytes && text.contains { !$0.isWhitespace }
    }

    public init(campaign: CampaignID, action: Action, reason: String, changedBy: String) {
        self.campaign = campaign
        self.action = action
        self.reason = reason
        self.changedBy = changedBy
    }
}

/// What of a plan may change while its campaign runs: who takes part, and how long is waited. `nil`: as it is.
///
/// What sites train, what they send and how it is bounded was promised to them, and stays.
public struct PlanAmendment: Equatable, Sendable {
    public var addedSites: [SiteID]
    public var droppedSites: [SiteID]
    public var quorum: Int?
    public var recruitingSeconds: Int?
    public var recruitingDeadlineSeconds: Int?
    public var deadlineSeconds: Int?
    public var extensions: Extensions?

    public init(
        addedSites: [SiteID] = [],
        droppedSites: [SiteID] = [],
        quorum: Int? = nil,
        recruitingSeconds: Int? = nil,
        recruitingDeadlineSeconds: Int? = nil,
        deadlineSeconds: Int? = nil,
        extensions: Extensions? = nil
    ) {
        self.addedSites = addedSites
        self.droppedSites = droppedSites
        self.quorum = quorum
        self.recruitingSeconds = recruitingSeconds
        self.recruitingDeadlineSeconds = recruitingDeadlineSeconds
        self.deadlineSeconds = deadlineSeconds
        self.extensions = extensions
    }

    /// What it changes, for people.
    public var fields: [(name: String, value: String)] {
        func list(_ sites: [SiteID]) -> String { sites.map(\.description).joined(separator: ", ") }
        var fields: [(name: String, value: String)] = []
        if !addedSites.isEmpty { fields.append(("added", list(addedSites))) }
        if !droppedSites.isEmpty { fields.append(("dropped", list(droppedSites))) }
        if let quorum { fields.append(("quorum", "\(quorum)")) }
        if let recruitingSeconds { fields.append(("recruiting", "\(recruitingSeconds) s")) }
        if let recruitingDeadlineSeconds { fields.append(("recruiting deadline", "\(recruitingDeadlineSeconds) s")) }
        if let deadlineSeconds { fields.append(("deadline", "\(deadlineSeconds) s")) }
        if let extensions { fields.append(("extensions", "\(extensions.maximum) of \(extensions.seconds) s")) }
        return fields
    }

    public var isEmpty: Bool { self == PlanAmendment() }
}

extension Plan {
    /// The plan with an amendment, or what is wrong with that.
    public func amended(by amendment: PlanAmendment) throws(LedgerViolation) -> Plan {
        try require(!amendment.isEmpty, "amends nothing")
        for sites in [amendment.addedSites, amendment.droppedSites] {
            try require(Set(sites).count == sites.count, "names a site twice")
        }
        if let site = amendment.addedSites.first(where: sites.contains) {
            throw LedgerViolation("adds \(site), which is in the plan already")
        }
        if let site = amendment.droppedSites.first(where: { !sites.contains($0) }) {
            throw LedgerViolation("drops \(site), which is not in the plan")
        }
        var plan = self
        plan.sites = Set(sites).subtracting(amendment.droppedSites).union(amendment.addedSites).sorted()
        plan.quorum = amendment.quorum ?? quorum
        plan.recruitingSeconds = amendment.recruitingSeconds ?? recruitingSeconds
        plan.recruitingDeadlineSeconds = amendment.recruitingDeadlineSeconds ?? recruitingDeadlineSeconds
        plan.deadlineSeconds = amendment.deadlineSeconds ?? deadlineSeconds
        plan.extensions = amendment.extensions ?? extensions
        if let problem = plan.problems.first {
            throw LedgerViolation("makes the plan unsound: \(problem.key): \(problem.message)")
        }
        return plan
    }
}
