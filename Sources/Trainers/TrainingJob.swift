import Contracts
import Federation
import Tensors

/// The training that a site has to do in a round.
package struct TrainingJob: Sendable {
    package let campaign: CampaignID
    package let key: RoundKey
    /// The number of rounds of the campaign.
    package let rounds: Int
    package let training: Training
    package let model: File
    /// The adapter to start from; `nil` without LoRA, and in the first round with LoRA.
    package let adapter: File?

    /// A file that the site has, and whose bytes were checked.
    package struct File: Sendable {
        package let digest: Digest
        /// Opens the file; the text is what error messages call it.
        package let open: @Sendable (String) throws -> SafetensorsFile

        package init(digest: Digest, open: @escaping @Sendable (String) throws -> SafetensorsFile) {
            self.digest = digest
            self.open = open
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
