/// The fold of the ledger's entries, which is the whole state of the coordinator and of an auditor.
public struct ConsortiumState: Equatable, Sendable {
    public private(set) var entryCount: UInt64 = 0
    public private(set) var genesis: Genesis?
    public private(set) var models: [ModelName: ModelReference] = [:]
    public private(set) var campaign: CampaignState? {
        _read { yield currentCampaign }
        _modify { yield &currentCampaign }
    }
    @Boxed private var currentCampaign: CampaignState? = nil
    /// The previous campaign: a site whose receipt was lost may ask for it after the next campaign has begun.
    @Boxed private var formerCampaign: CampaignState? = nil
    public private(set) var releases: [ReleaseCutting] = []
    /// The committed rounds of all campaigns, pruned or not.
    public private(set) var archive = RoundArchive()
    /// The latest time that the next entry must not precede.
    public private(set) var time = Timestamp(milliseconds: 0)
    /// The certificate authorities, oldest first; the last one is in force.
    public private(set) var authorities: [AuthorityTerm] = []
    public private(set) var losses: [RecordedLoss] = []
    /// Sites that have an update in the ledger.
    public private(set) var contributors: Set<SiteID> = []
    /// The entry that registered each model or cut each release.
    public private(set) var modelEntries: [ModelName: UInt64] = [:]
    /// The names of all campaigns ever opened: names must not repeat, or an update of one campaign could count in
    /// another.
    private var campaigns: Set<CampaignID> = []

    public struct RecordedLoss: Equatable, Sendable {
        public let declaration: LossDeclaration
        public let index: UInt64
        public let at: Timestamp

        /// Creates the value from its parts; see the properties.
        ///
        /// - Parameters:
        ///   - declaration: The declaration as it was recorded.
        ///   - index: The index of its entry, from 0.
        ///   - at: The time of its entry.
        public init(declaration: LossDeclaration, index: UInt64, at: Timestamp) {
            self.declaration = declaration
            self.index = index
            self.at = at
        }
    }

    /// Returns the authorities whose certificates are no longer accepted at `time`.
    ///
    /// - Parameter time: The time to compare with the authorities' ends.
    public func endedAuthorities(at time: Timestamp) -> Set<Digest> {
        Set(authorities.filter { !$0.holds(at: time) }.map(\.digest))
    }

    /// Creates the state of an empty ledger, whose next entry must be the genesis entry.
    public init() {}

    /// The model that the next round starts from: the campaign's or, before the first campaign, the genesis entry's.
    public var currentModel: BlobReference? {
        if let campaign {
            return BlobReference(digest: campaign.current.model, byteCount: campaign.current.modelByteCount)
        }
        return models.min { $0.key < $1.key }.map {
            BlobReference(digest: $0.value.digest, byteCount: $0.value.byteCount)
        }
    }

    /// The last campaign, if it has ended with committed rounds and its release was not cut. Once another campaign is
    /// open, that release can never be cut.
    public var unreleasedCampaign: CampaignState? {
        guard let campaign, campaign.end != nil, campaign.committedRounds > 0,
            !releases.contains(where: { $0.campaign == campaign.plan.campaign })
        else { return nil }
        return campaign
    }

    /// Returns where the ledger holds exactly this update of the current or previous campaign; `nil` if it does not.
    ///
    /// - Parameter manifest: The update's manifest; its campaign, round, attempt, site and digest are compared.
    public func place(of manifest: UpdateManifest) -> CampaignState.RecordedUpdate? {
        campaign?.place(of: manifest) ?? formerCampaign?.place(of: manifest)
    }

    /// Whether the ledger uses this update's digest for anything but this site's update of this round: an update of
    /// another site or round, a model, an adapter or a server state. A site that submits such a digest has not trained
    /// it.
    ///
    /// - Parameter manifest: The manifest of the update that a site submits.
    public func hasOtherUse(of manifest: UpdateManifest) -> Bool {
        let digest = manifest.update
        return models.values.contains { $0.digest == digest }
            || archive.names(digest, outsideUpdatesOf: campaign?.plan.campaign)
            || [campaign, formerCampaign].contains {
                $0?.hasOtherUpdate(of: manifest) ?? false || $0?.current.blobs.contains(digest) ?? false
            }
    }

    /// Applies the next entry.
    ///
    /// - Parameter entry: The entry whose index is ``entryCount``.
    /// - Throws: `LedgerViolation` if the entry may not follow.
    public mutating func apply(_ entry: Entry) throws(LedgerViolation) {
        try require(
            (entryCount == 0) == entry.isFounding,
            "violates the rule that only the first entry is the founding one"
        )
        switch entry.body {
        case .clockCorrected: try require(entry.at < time, "corrects a clock that was not ahead")
        default: try require(entry.at >= time, "is older than the entry before it")
        }
        switch entry.body {
        case .founded(let genesis):
            self.genesis = genesis
            authorities = [AuthorityTerm(digest: genesis.authority)]
        case .modelRegistered(let name, let reference, _):
            try register(name, reference)
        case .clockCorrected(let correction):
            try requireReason(correction.reason)
            let former = time
            campaign?.correctClock(from: former, to: entry.at)
        case .lossDeclared(let declaration):
            try require(declaration.keptEntries <= entryCount, "keeps more entries than there are")
            try requireReason(declaration.reason)
            losses.append(RecordedLoss(declaration: declaration, index: entryCount, at: entry.at))
        case .authorityRotated(let rotation):
            try rotate(rotation, at: entry.at)
        case .campaignOpened(let plan, _):
            try open(plan, at: entry.at)
        case .releaseCut(let cutting):
            try cut(cutting)
        case .updatesPruned(let pruning):
            try archive.prune(pruning, at: entry.at)
        default:
            try applyToCampaign(entry)
        }
        entryCount += 1
        time = entry.at
    }

    private mutating func applyToCampaign(_ entry: Entry) throws(LedgerViolation) {
        guard campaign != nil else { throw LedgerViolation("belongs to a campaign, but none is open") }
        let index = entryCount
        guard case .roundCommitted(let commit) = entry.body else {
            try campaign!.apply(entry, index: index)
            if case .updateAccepted(let accepted) = entry.body { contributors.insert(accepted.update.manifest.site) }
            return
        }
        let (task, plan) = (campaign!.round.aggregation, campaign!.plan)
        try campaign!.apply(entry, index: index)
        if let task { archive.add(task, commit, of: plan, at: entry.at) }
    }

    private mutating func register(_ name: ModelName, _ reference: ModelReference) throws(LedgerViolation) {
        try require(models[name] == nil, "registers \(name) twice")
        try require(
            campaign == nil || campaign?.end != nil || campaign?.plan.release != name,
            "uses the name that the open campaign's release will have"
        )
        models[name] = reference
        modelEntries[name] = entryCount
    }

    private mutating func rotate(_ rotation: AuthorityRotation, at time: Timestamp) throws(LedgerViolation) {
        guard let last = authorities.indices.last, authorities[last].digest == rotation.former else {
            throw LedgerViolation("replaces a certificate authority that is not in force")
        }
        try require(
            !authorities.contains { $0.digest == rotation.authorityDigest },
            "reinstates a former certificate authority"
        )
        try require(rotation.formerEnds >= time, "ends the former certificate authority before the entry")
        authorities[last].end = rotation.formerEnds
        authorities.append(AuthorityTerm(digest: rotation.authorityDigest))
    }

    private func requireReason(_ reason: String) throws(LedgerViolation) {
        try require(
            CampaignChange.isReason(reason),
            "has no reason, or one longer than \(CampaignChange.reasonBytes) bytes"
        )
    }

    private mutating func open(_ plan: Plan, at time: Timestamp) throws(LedgerViolation) {
        try require(campaign == nil || campaign?.end != nil, "opens a campaign while another runs")
        let base = try checkOpening(plan)
        campaigns.insert(plan.campaign)
        formerCampaign = campaign
        campaign = CampaignState(plan: plan, base: base, index: entryCount, at: time)
    }

    /// Whether a campaign had this name.
    ///
    /// - Parameter campaign: The name to look for among all campaigns that were ever opened.
    public func isNamed(_ campaign: CampaignID) -> Bool { campaigns.contains(campaign) }

    /// Checks whether a campaign with this plan could be opened if none were running; returns its base model.
    @discardableResult
    func checkOpening(_ plan: Plan) throws(LedgerViolation) -> ModelReference {
        if let problem = plan.problems.first {
            throw LedgerViolation("opens a campaign with an invalid plan: \(problem.key): \(problem.message)")
        }
        guard let base = models[plan.base], plan.model == base else {
            throw LedgerViolation("opens a campaign from a base that is not the registered \(plan.base)")
        }
        try require(models[plan.release] == nil, "would release \(plan.release), which is already released")
        try require(!campaigns.contains(plan.campaign), "uses the name \(plan.campaign) again")
        return base
    }

    private mutating func cut(_ cutting: ReleaseCutting) throws(LedgerViolation) {
        guard let campaign, let end = campaign.end else {
            throw LedgerViolation("cuts a release of a campaign that has not ended")
        }
        try require(
            cutting.campaign == campaign.plan.campaign && cutting.name == campaign.plan.release,
            "cuts a release other than the plan's"
        )
        try require(cutting.model.layout == campaign.plan.model?.layout, "releases a model other than the campaign's")
        if let round = cutting.round {
            guard let record = archive.record(of: cutting.campaign, round: round) else {
                throw LedgerViolation("releases round \(round), which is not committed")
            }
            // If an adapter was folded in, the model's digest can be checked only by computing the round again.
            try require(
                record.result.adapter != nil || cutting.model.digest == record.result.model,
                "releases a model other than that of round \(round)"
            )
        } else {
            try require(end.completed, "cuts a release without a completed campaign, and names no round")
            try require(cutting.model.digest == end.model, "releases a model other than the campaign's")
        }
        try require(models[cutting.name] == nil, "cuts \(cutting.name) twice")
        models[cutting.name] = cutting.model
        modelEntries[cutting.name] = entryCount
        releases.append(cutting)
    }
}

extension ConsortiumState {
    /// Blobs that the consortium's future depends on, whatever is pruned.
    var foundations: Set<Digest> {
        var kept = Set(models.values.map(\.digest))
        guard let campaign else { return kept }
        kept.formUnion(campaign.current.blobs)
        guard campaign.end == nil else { return kept }
        kept.formUnion(campaign.round.start.blobs)
        // The inheritance includes everything that the round itself has accepted.
        kept.formUnion(campaign.round.inheritance.blobs)
        return kept
    }

    /// Blobs that only pruned rounds name.
    public var prunedBlobs: Set<Digest> {
        let (pruned, kept) = archive.blobs
        return pruned.subtracting(kept).subtracting(foundations)
    }

    /// All blobs that must be kept: those of rounds that can be replayed, and those that the future depends on.
    public var neededBlobs: Set<Digest> { archive.blobs.kept.union(foundations) }
}

extension CarriedOverUpdates {
    var blobs: [Digest] { (accepted.values.map(\.update.manifest.update)) + late.values.map(\.update.manifest.update) }
}

extension Entry {
    var isFounding: Bool {
        if case .founded = body { true } else { false }
    }
}
