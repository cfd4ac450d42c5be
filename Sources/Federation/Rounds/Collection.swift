extension RoundState {
    /// A round's cohort and the updates received so far.
    public struct Collection: Equatable, Sendable {
        public internal(set) var cohort: [SiteID]
        public internal(set) var openedAt: Timestamp
        public internal(set) var deadline: Timestamp
        public internal(set) var extensions = 0
        public internal(set) var accepted: [SiteID: AcceptedUpdate] = [:]
        /// Late updates of earlier rounds that the plan accepts; one per site.
        public internal(set) var late: [SiteID: AcceptedUpdate] = [:]
        public internal(set) var refusals: [SiteID: Int] = [:]

        /// All updates that count, in the order of the record: this round's by site, then late ones by site.
        public var updates: [AcceptedUpdate] {
            [accepted, late].flatMap { $0.sorted { $0.key < $1.key }.map(\.value) }
        }

        public var isComplete: Bool { cohort.allSatisfy { accepted[$0] != nil } }
    }
}

/// What a round takes over from earlier rounds and attempts: an acknowledged update is neither requested again nor
/// counted twice.
public struct CarriedOverUpdates: Equatable, Sendable {
    /// Updates of this round that an abandoned attempt accepted; they were trained from the same model.
    public internal(set) var accepted: [SiteID: AcceptedUpdate] = [:]
    /// Late updates that an abandoned attempt accepted.
    public internal(set) var late: [SiteID: AcceptedUpdate] = [:]
    /// Sites that abandoned attempts asked; their updates are still accepted.
    public internal(set) var asked: Set<SiteID> = []
    /// Earlier rounds whose updates may still arrive, newest last.
    public internal(set) var formerRounds: [FormerRound] = []

    /// Creates what the first attempt at the first round takes over: nothing.
    public init() {}

    func former(_ round: Int) -> FormerRound? { formerRounds.first { $0.round == round } }
}

/// A completed round, as far as late updates need it.
public struct FormerRound: Equatable, Sendable {
    public let round: Int
    /// The model that its updates were trained from.
    public let model: Digest
    public let adapter: Digest?
    /// Sites that were asked and have not delivered an update.
    public internal(set) var missing: Set<SiteID>
}

extension RoundState {
    /// Returns what the next round takes over from this round, which is committed.
    func inheritanceOfNextRound() -> CarriedOverUpdates {
        var next = CarriedOverUpdates()
        guard plan.staleness.rounds > 0 else { return next }
        let missing = inheritance.asked.subtracting(inheritance.accepted.keys)
        let former =
            inheritance.formerRounds + [
                FormerRound(round: key.round, model: start.model, adapter: start.adapter?.digest, missing: missing)
            ]
        next.formerRounds = former.filter { key.round + 1 - $0.round <= plan.staleness.rounds && !$0.missing.isEmpty }
        return next
    }
}

extension CarriedOverUpdates {
    /// Returns what the next attempt takes over if the updates of `sites` are lost.
    func without(_ sites: [SiteID]) -> CarriedOverUpdates {
        var rest = self
        for site in sites {
            rest.accepted[site] = nil
            if let update = rest.late.removeValue(forKey: site) {
                // The lost update did not count, so it may be sent again.
                if let index = rest.formerRounds.firstIndex(where: { $0.round == update.update.manifest.key.round }) {
                    rest.formerRounds[index].missing.insert(site)
                }
            }
        }
        return rest
    }
}
