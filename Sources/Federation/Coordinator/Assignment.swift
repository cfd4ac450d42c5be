/// What a site should do now.
public enum Assignment: Equatable, Sendable {
    case rest(reason: String)
    case train(TrainingTask)
    case finished(CampaignEnd)
}

/// A site's part in a round.
public struct TrainingTask: Equatable, Sendable {
    public let campaign: CampaignID
    public let key: RoundKey
    public let rounds: Int
    public let model: ModelReference
    public let deadline: Timestamp
    public let training: Training

    public init(
        campaign: CampaignID, key: RoundKey, rounds: Int, model: ModelReference, deadline: Timestamp,
        training: Training
    ) {
        self.campaign = campaign
        self.key = key
        self.rounds = rounds
        self.model = model
        self.deadline = deadline
        self.training = training
    }
}

extension CampaignState {
    public func assignment(for site: SiteID) -> Assignment {
        if let end { return .finished(end) }
        guard plan.sites.contains(site) else { return .rest(reason: "\(site) is not in the plan of \(plan.campaign)") }
        guard case .collecting(let collection) = round.phase else {
            return .rest(reason: round.restReason)
        }
        guard collection.cohort.contains(site) else { return .rest(reason: "joins at the next round") }
        guard collection.accepted[site] == nil else { return .rest(reason: "the update is in; waiting for the others") }
        let model = ModelReference(
            digest: round.start.model, layout: plan.model!.layout, byteCount: round.start.modelByteCount)
        return .train(
            TrainingTask(
                campaign: plan.campaign, key: round.key, rounds: plan.rounds, model: model,
                deadline: collection.deadline, training: plan.training))
    }
}

extension RoundMachine {
    var restReason: String {
        switch phase {
        case .recruiting: "round \(key) waits for a quorum of \(plan.quorum) sites"
        case .collecting: "round \(key) is open"
        case .aggregating: "round \(key) is being aggregated"
        case .committed: "round \(key) is committed"
        case .abandoned(let reason): "round \(key) was abandoned: \(reason)"
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
