/// What the ledger's entries add up to: the coordinator's whole state, and the auditor's.
public struct ConsortiumState: Equatable, Sendable {
    public private(set) var entryCount: UInt64 = 0
    public private(set) var founding: Founding?
    public private(set) var models: [ModelName: ModelReference] = [:]
    public private(set) var campaign: CampaignState?
    /// The one before: a site whose receipt was lost on the way may ask for it after the next has begun.
    private var formerCampaign: CampaignState?
    public private(set) var releases: [ReleaseCutting] = []
    /// The committed rounds of all campaigns, and which of them are pruned.
    public private(set) var archive = RoundArchive()
    /// The time of the newest entry; the next is not older.
    public private(set) var time = Timestamp(milliseconds: 0)
    /// The certificate authorities, oldest first; the last one is in force.
    public private(set) var authorities: [AuthorityTerm] = []
    public private(set) var losses: [RecordedLoss] = []
    /// Sites of which the ledger holds an update.
    public private(set) var contributors: Set<SiteID> = []
    /// Where each model was registered, or its release cut.
    public private(set) var modelEntries: [ModelName: UInt64] = [:]
    /// Names of all campaigns ever opened: an update of one must not count in another of the same name.
    private var campaigns: Set<CampaignID> = []

    public struct RecordedLoss: Equatable, Sendable {
        public let declaration: LossDeclaration
        public let index: UInt64
        public let at: Timestamp

        public init(declaration: LossDeclaration, index: UInt64, at: Timestamp) {
            self.declaration = declaration
            self.index = index
            self.at = at
        }
    }

    /// The authorities under which certificates do not hold at `time` any more.
    public func endedAuthorities(at time: Timestamp) -> Set<Digest> {
        Set(authorities.filter { !$0.holds(at: time) }.map(\.digest))
    }

    public init() {}

    /// What the next round starts from: the campaign's model, or, before the first campaign, the founding one.
    public var currentModel: BlobReference? {
        if let campaign {
            return BlobReference(digest: campaign.current.model, byteCount: campaign.current.modelByteCount)
        }
        return models.min { $0.key < $1.key }.map {
            BlobReference(digest: $0.value.digest, byteCount: $0.value.byteCount)
        }
    }

    /// Where the ledger holds exactly this update of the present campaign or the one before, if it does.
    public func place(of manifest: UpdateManifest) -> CampaignState.UpdatePlace? {
        campaign?.place(of: manifest) ?? formerCampaign?.place(of: manifest)
    }

    /// Whether the ledger names this update's digest for anything but this site's update of this round: another site's
    /// or round's update, a model, an adapter, a server state. Who names such a digest has not trained it.
    public func hasOtherUse(of manifest: UpdateManifest) -> Bool {
        let digest = manifest.update
        return models.values.contains { $0.digest == digest }
            || archive.names(digest, outsideUpdatesOf: campaign?.plan.campaign)
            || [campaign, formerCampaign].contains {
                $0?.hasOtherUpdate(of: manifest) ?? false || $0?.current.blobs.contains(digest) ?? false
            }
    }

    /// Applies the next entry, or says why it may not follow.
    public mutating func apply(_ entry: Entry) throws(LedgerViolation) {
        try require(
            (entryCount == 0) == entry.isFounding,
            "the founding is the first entry and the only one of its kind"
        )
        switch entry.body {
        case .clockCorrected: try require(entry.at < time, "corrects a clock that was not ahead")
        default: try require(entry.at >= time, "is older than the entry before it")
        }
        switch entry.body {
        case .founded(let founding):
            self.founding = founding
            authorities = [AuthorityTerm(digest: founding.authority)]
        case .modelRegistered(let name, let reference, _):
            try register(name, reference)
        case .clockCorrected(let correction):
            try requireReason(correction.reason)
            campaign?.correctClock(from: time, to: entry.at)
        case .lossDeclared(let declaration):
            try require(declaration.keptEntries <= entryCount, "keeps entries that are not there")
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
        guard case .roundCommitted(let commit) = entry.body else {
            try campaign!.apply(entry, index: entryCount)
            if case .updateAccepted(let accepted) = entry.body { contributors.insert(accepted.update.manifest.site) }
            return
        }
        let (task, plan) = (campaign!.round.aggregation, campaign!.plan)
        try campaign!.apply(entry, index: entryCount)
        if let task { archive.add(task, commit, of: plan, at: entry.at) }
    }

    private mutating func register(_ name: ModelName, _ reference: ModelReference) throws(LedgerViolation) {
        try require(models[name] == nil, "registers \(name) twice")
        try require(
            campaign == nil || campaign?.end != nil || campaign?.plan.release != name,
            "takes the name of the release that the open campaign leads to"
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
            "brings back a certificate authority of before"
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
    public func isNamed(_ campaign: CampaignID) -> Bool { campaigns.contains(campaign) }

    /// Whether the plan could be opened if no campaign ran; its base.
    @discardableResult
    func checkOpening(_ plan: Plan) throws(LedgerViolation) -> ModelReference {
        if let problem = plan.problems.first {
            throw LedgerViolation("opens a campaign with an unsound plan: \(problem.key): \(problem.message)")
        }
        guard let base = models[plan.base], plan.model == base else {
            throw LedgerViolation("opens a campaign from a base that is not the registered \(plan.base)")
        }
        try require(models[plan.release] == nil, "leads to \(plan.release), which is released already")
        try require(!campaigns.contains(plan.campaign), "uses the name \(plan.campaign) again")
        return base
    }

    private mutating func cut(_ cutting: ReleaseCutting) throws(LedgerViolation) {
        guard let campaign, let end = campaign.end else {
            throw LedgerViolation("cuts a release of a campaign that has not ended")
        }
        try require(
            cutting.campaign == campaign.plan.campaign && cutting.name == campaign.plan.release,
            "cuts another release than the plan's"
        )
        try require(cutting.model.layout == campaign.plan.model?.layout, "releases another model than the campaign's")
        if let round = cutting.round {
            guard let record = archive.record(of: cutting.campaign, round: round) else {
                throw LedgerViolation("releases round \(round), which is not committed")
            }
            // With an adapter folded in, only computing the round again says which model it must be.
            try require(
                record.result.adapter != nil || cutting.model.digest == record.result.model,
                "releases another model than that of round \(round)"
            )
        } else {
            try require(end.completed, "cuts a release without a completed campaign, and names no round")
            try require(cutting.model.digest == end.model, "releases another model than the campaign's")
        }
        try require(models[cutting.name] == nil, "cuts \(cutting.name) twice")
        models[cutting.name] = cutting.model
        modelEntries[cutting.name] = entryCount
        releases.append(cutting)
    }
}

extension ConsortiumState {
    /// Blobs that the future of the consortium stands on, whatever is pruned.
    var foundations: Set<Digest> {
        var kept = Set(models.values.map(\.digest))
        guard let campaign else { return kept }
        kept.formUnion(campaign.current.blobs)
        guard campaign.end == nil else { return kept }
        kept.formUnion(campaign.round.start.blobs)
        // The inheritance holds all that the round itself has accepted.
        kept.formUnion(campaign.round.inheritance.blobs)
        return kept
    }

    /// Blobs that pruned rounds named and nothing else needs.
    public var prunedBlobs: Set<Digest> {
        let (pruned, kept) = archive.blobs
        return pruned.subtracting(kept).subtracting(foundations)
    }

    /// Every blob that must be there: those of rounds that can be replayed, and those that the future stands on.
    public var neededBlobs: Set<Digest> { archive.blobs.kept.union(foundations) }
}

extension RoundInheritance {
    var blobs: [Digest] { (accepted.values.map(\.update.manifest.update)) + late.values.map(\.update.manifest.update) }
}

extension Entry {
    var isFounding: Bool {
        if case .founded = body { true } else { false }
    }
}
