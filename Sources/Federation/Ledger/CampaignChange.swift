/// An operator's change to an open campaign, with its reason.
public struct CampaignChange: Equatable, Sendable {
    public enum Action: Equatable, Sendable {
        /// Ends the campaign; its committed rounds stay and can be released.
        case stop
        /// Suspends the campaign until ``resume``: nothing opens, closes or accepts updates, and deadlines move by the
        /// length of the pause.
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

    /// The largest size of a reason, in bytes.
    public static let reasonBytes = 1024

    /// Whether the text is a valid reason: neither blank nor too long.
    static func isReason(_ text: String) -> Bool {
        text.utf8.count <= reasonBytes && text.contains { !$0.isWhitespace }
    }

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign to change.
    ///   - action: What is done to it.
    ///   - reason: Why: not blank, and at most ``reasonBytes`` bytes.
    ///   - changedBy: Who asked for it: `operator/<name>`.
    public init(campaign: CampaignID, action: Action, reason: String, changedBy: String) {
        self.campaign = campaign
        self.action = action
        self.reason = reason
        self.changedBy = changedBy
    }
}

/// The parts of a plan that may change while its campaign runs: who takes part, and the waiting times. `nil` keeps the
/// current value.
///
/// What sites train, what they send and the bounds on it cannot change, because the sites agreed to it.
public struct PlanAmendment: Equatable, Sendable {
    public var addedSites: [SiteID]
    public var droppedSites: [SiteID]
    public var quorum: Int?
    public var recruitingSeconds: Int?
    public var recruitingDeadlineSeconds: Int?
    public var deadlineSeconds: Int?
    public var extensions: Extensions?

    /// Creates an amendment; `nil` keeps the plan's value.
    ///
    /// - Parameters:
    ///   - addedSites: Sites that take part from now on, each once.
    ///   - droppedSites: Sites that no longer take part, each once.
    ///   - quorum: The smallest number of sites and of updates for a round.
    ///   - recruitingSeconds: How long a round waits for more sites once a quorum is connected.
    ///   - recruitingDeadlineSeconds: How long an attempt waits for its quorum; 0 waits for ever.
    ///   - deadlineSeconds: How long a round collects updates.
    ///   - extensions: How a round's deadline may be extended.
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

    /// The changed fields, for display.
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
    /// Returns the amended plan.
    ///
    /// - Parameter amendment: The changes, at least one.
    /// - Throws: `LedgerViolation` if the amendment or the amended plan is not valid.
    public func amended(by amendment: PlanAmendment) throws(LedgerViolation) -> Plan {
        try require(!amendment.isEmpty, "amends nothing")
        for sites in [amendment.addedSites, amendment.droppedSites] {
            try require(Set(sites).count == sites.count, "names a site more than once")
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
            throw LedgerViolation("makes the plan invalid: \(problem.key): \(problem.message)")
        }
        return plan
    }
}
