import Contracts
import Federation
import Tensors

/// The training that a site has to do in a round.
public struct TrainingJob: Equatable, Sendable {
    public let campaign: CampaignID
    public let key: RoundKey
    /// The number of rounds of the campaign.
    public let rounds: Int
    public let training: Training
    public let model: File
    /// The adapter to start from; `nil` without LoRA, and in the first round with LoRA.
    public let adapter: File?

    /// A file at the site whose digest was checked.
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

    /// Returns the tensors that this job trains.
    ///
    /// - Parameter base: The layout of the model.
    public func trained(_ base: TensorLayout) -> TrainedTensors {
        TrainedTensors(training, base: base, round: key.round)
    }
}
