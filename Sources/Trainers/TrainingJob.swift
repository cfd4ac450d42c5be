import Contracts
import Federation
import Tensors

/// The training that a site has to do in a round.
package struct TrainingJob: Equatable, Sendable {
    package let campaign: CampaignID
    package let key: RoundKey
    /// The number of rounds of the campaign.
    package let rounds: Int
    package let training: Training
    package let model: File
    /// The adapter to start from; `nil` without LoRA, and in the first round with LoRA.
    package let adapter: File?

    /// A file at the site whose digest was checked.
    package struct File: Equatable, Sendable {
        package let path: String
        package let digest: Digest

        package init(path: String, digest: Digest) {
            self.path = path
            self.digest = digest
        }
    }

    package init(
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
    package func trained(_ base: TensorLayout) -> TrainedTensors {
        TrainedTensors(training, base: base, round: key.round)
    }
}
