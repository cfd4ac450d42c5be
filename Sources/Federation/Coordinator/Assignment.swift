/// What a site should do now.
public enum Assignment: Equatable, Sendable {
    case rest(reason: String)
    case train(TrainingTask)
    /// `model` is the campaign's final model; `nil` if the coordinator does not state its size.
    case finished(CampaignEnd, model: BlobReference?)
}

/// A site's part in a round.
public struct TrainingTask: Equatable, Sendable {
    public let campaign: CampaignID
    public let key: RoundKey
    public let rounds: Int
    public let model: ModelReference
    /// The adapter to start from; `nil` without LoRA, and in the first round.
    public let adapter: BlobReference?
    public let deadline: Timestamp
    public let training: Training
    public let compression: Compression
    /// How many rounds late an update is still accepted; 0 if late updates are refused.
    public let lateRounds: Int
    /// The entry that records the loss of the site's update: why a site that holds a receipt for this round is asked
    /// again.
    public let lostUpdate: Receipt?

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign of the round.
    ///   - key: The round and the attempt at it.
    ///   - rounds: The number of rounds of the campaign.
    ///   - model: The model to start from, and the layout of its tensors.
    ///   - adapter: The adapter to start from; `nil` without LoRA, and in the first round.
    ///   - deadline: The time until which the update must have arrived.
    ///   - training: What to train.
    ///   - compression: In what form to send it.
    ///   - lateRounds: How many rounds late an update is still accepted; 0 if late updates are refused.
    ///   - lostUpdate: The entry that records the loss of the site's update; `nil` if none was lost.
    public init(
        campaign: CampaignID,
        key: RoundKey,
        rounds: Int,
        model: ModelReference,
        adapter: BlobReference? = nil,
        deadline: Timestamp,
        training: Training,
        compression: Compression = .none,
        lateRounds: Int = 0,
        lostUpdate: Receipt? = nil
    ) {
        self.campaign = campaign
        self.key = key
        self.rounds = rounds
        self.model = model
        self.adapter = adapter
        self.deadline = deadline
        self.training = training
        self.compression = compression
        self.lateRounds = lateRounds
        self.lostUpdate = lostUpdate
    }

    /// Returns the same task with the entry that explains why it is assigned again.
    ///
    /// - Parameter lostUpdate: The receipt of the abandonment that dropped the site's update.
    public func asking(because lostUpdate: Receipt) -> TrainingTask {
        TrainingTask(
            campaign: campaign,
            key: key,
            rounds: rounds,
            model: model,
            adapter: adapter,
            deadline: deadline,
            training: training,
            compression: compression,
            lateRounds: lateRounds,
            lostUpdate: lostUpdate
        )
    }

    /// The blobs that a site needs to train.
    public var blobs: [BlobReference] {
        [BlobReference(digest: model.digest, byteCount: model.byteCount)] + (adapter.map { [$0] } ?? [])
    }
}

extension CampaignState {
    /// Returns what a site should do now in this campaign.
    ///
    /// - Parameter site: Any site, in the plan or not.
    public func assignment(for site: SiteID) -> Assignment {
        if let end {
            // A site that had no part in the campaign is not told that it has ended.
            guard plan.sites.contains(site) || dropped[site] != nil || acceptedBySite[site] != nil else {
                return .rest(reason: "no campaign is open")
            }
            return .finished(end, model: BlobReference(digest: current.model, byteCount: current.modelByteCount))
        }
        if pause != nil { return .rest(reason: pauseReason) }
        guard plan.sites.contains(site) else {
            return .rest(reason: dropped[site] ?? "\(site) is not in the plan of \(plan.campaign)")
        }
        let deadline: Timestamp
        switch round.phase {
        case .collecting(let collection): deadline = collection.deadline
        // Between two attempts a site continues what it was asked for.
        case .recruiting where round.inheritance.asked.contains(site): deadline = Timestamp(milliseconds: .max)
        default: return .rest(reason: round.restReason)
        }
        guard round.inheritance.asked.contains(site) else { return .rest(reason: "joins at the next round") }
        guard round.inheritance.accepted[site] == nil else {
            return .rest(reason: "the update is in; waiting for the others")
        }
        let model = ModelReference(
            digest: round.start.model,
            layout: plan.model!.layout,
            byteCount: round.start.modelByteCount
        )
        return .train(
            TrainingTask(
                campaign: plan.campaign,
                key: round.key,
                rounds: plan.rounds,
                model: model,
                adapter: round.start.adapter,
                deadline: deadline,
                training: plan.training,
                compression: plan.compression,
                lateRounds: plan.staleness.rounds
            )
        )
    }
}

extension RoundState {
    var restReason: String {
        switch phase {
        case .recruiting: "round \(key) waits for a quorum of \(plan.quorum) sites"
        case .collecting: "round \(key) is open"
        case .aggregating: "round \(key) is being aggregated"
        case .committed: "round \(key) is committed"
        case .abandoned(let abandonment): "round \(key) was abandoned: \(abandonment.reason)"
        }
    }

    /// One word for tables: recruiting, collecting, aggregating, committed or abandoned.
    public var phaseName: String {
        switch phase {
        case .recruiting: "recruiting"
        case .collecting: "collecting"
        case .aggregating: "aggregating"
        case .committed: "committed"
        case .abandoned: "abandoned"
        }
    }
}
