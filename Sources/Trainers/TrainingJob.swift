import Contracts
import Federation
import Tensors

/// A turn of a site in a round: what a trainer is asked to do.
public struct TrainingJob: Equatable, Sendable {
    public let campaign: CampaignID
    public let key: RoundKey
    /// Of the campaign.
    public let rounds: Int
    public let training: Training
    public let model: File
    /// The adapter to go on from; `nil` without LoRA, and in its first round.
    public let adapter: File?

    /// A file that the site has, and whose bytes were checked.
    public struct File: Equatable, Sendable {
        public let path: String
        public let digest: Digest

        public init(path: String, digest: Digest) {
            self.path = path
            self.digest = digest
        }
    }

    public init(
        campaign: CampaignID,
        key: RoundKey,
        rounds: Int,
        training: Training,
        model: File,
        adapter: File? = nil
    ) {
        self.campaign = campaign
        self.key = key
        self.rounds = rounds
        self.training = training
        self.model = model
        self.adapter = adapter
    }

    /// Which tensors are trained.
    ///
    /// - Parameter base: the layout of the model.
    public func trained(_ base: TensorLayout) -> TrainedTensors {
        TrainedTensors(training, base: base, round: key.round)
    }
}
