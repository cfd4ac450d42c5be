/// What the ledger's entries add up to: the coordinator's whole state, and the auditor's.
public struct ConsortiumState: Equatable, Sendable {
    public private(set) var entryCount: UInt64 = 0
    public private(set) var founding: Founding?
    public private(set) var models: [ModelName: ModelReference] = [:]
    public internal(set) var campaign: CampaignState?
    /// The one before: a site whose receipt was lost on the way may ask for it after the next has begun.
    private var formerCampaign: CampaignState?
    public private(set) var releases: [ReleaseCutting] = []
    /// The committed rounds of all campaigns, and which of them are pruned.
    public private(set) var archive = RoundArchive()
    /// The time of the newest entry; the next is not older.
    public private(set) var time = Timestamp(milliseconds: 0)
    /// Names of all campaigns ever opened: an update of one must not count in another of the same name.
    private var campaigns: Set<CampaignID> = []

    public init() {}

    /// What the next round starts from: the campaign's model, or, before the first campaign, the founding one.
    public var currentModel: BlobReference? {
        if let campaign {
            return BlobReference(digest: campaign.current.model, byteCount: campaign.current.modelByteCount)
        }
        return models.min { $0.key < $1.key }.map { BlobReference(digest: $0.value.digest, byteCount: $0.value.byteCount) }
    }

    /// Where the ledger holds exactly this update of the present campaign or the one before, if it does.
    public func place(of manifest: UpdateManifest) -> CampaignState.UpdatePlace? { campaign?.place(of: manifest) ?? formerCampaign?.place(of: manifest) }

    /// Whether the ledger names this update's digest for anything but this site's update of this round: another site's or round's
    /// update, a model, an adapter, a server state. Whoever names such a digest has not trained it.
    public func hasOtherUse(of manifest: UpdateManifest) -> Bool {
        let digest = manifest.update
        return models.values.contains { $0.digest == digest } || archive.names(digest, outsideUpdatesOf: campaign?.plan.campaign)
            || [campaign, formerCampaign].contains { $0?.hasOtherUpdate(of: manifest) ?? false || $0?.current.blobs.contains(digest) ?? false }
    }

    /// Applies the next entry, or says why it may not follow.
    public mutating func apply(_ entry: Entry) throws(LedgerViolation) {
        try require((entryCount == 0) == entry.isFounding, "the founding is the first entry and the only one of its kind")
        try require(entry.at >= time, "is older than the entry before it")
        switch entry.body {
        case .founded(let founding):
            self.founding = founding
        case .modelRegistered(let name, let reference):
            try require(models[name] == nil, "registers \(name) twice")
            models[name] = reference
        case .campaignOpened(let plan, _):
            try open(plan)
        case .releaseCut(let cutting):
            try cut(cutting)
        case .updatesPruned(let pruning):
            try archive.prune(pruning, at: entry.at)
        default:
            guard campaign != nil else { throw LedgerViolation("belongs to a campaign, but none is open") }
            let round = campaign!.round
            try campaign!.apply(entry, index: entryCount)
            if case .roundCommitted(let commit) = entry.body, case .aggregating(let collection) = round.phase {
                archive.add(round.task(collection), commit, of: round.plan, at: entry.at)
            }
        }
        entryCount += 1
        time = entry.at
    }

    private mutating func open(_ plan: Plan) throws(LedgerViolation) {
        try require(campaign == nil || campaign?.end != nil, "opens a campaign while another runs")
        if let problem = plan.problems.first { throw LedgerViolation("opens a campaign with an unsound plan: \(problem.key): \(problem.message)") }
        guard let base = models[plan.base], plan.model == base else {
            throw LedgerViolation("opens a campaign from a base that is not the registered \(plan.base)")
        }
        try require(models[plan.release] == nil, "leads to \(plan.release), which is released already")
        try require(!campaigns.contains(plan.campaign), "uses the name \(plan.campaign) again")
        campaigns.insert(plan.campaign)
        formerCampaign = campaign
        campaign = CampaignState(plan: plan, base: base)
    }

    private mutating func cut(_ cutting: ReleaseCutting) throws(LedgerViolation) {
        guard let campaign, let end = campaign.end, end.completed else {
            throw LedgerViolation("cuts a release without a completed campaign")
        }
        try require(cutting.campaign == campaign.plan.campaign && cutting.name == campaign.plan.release, "cuts another release than the plan's")
        try require(cutting.model.digest == end.model && cutting.model.layout == campaign.plan.model?.layout, "releases another model than the campaign's")
        try require(models[cutting.name] == nil, "cuts \(cutting.name) twice")
        models[cutting.name] = cutting.model
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
