/// A trained and signed update on the worker's disk, ready to send.
public struct PreparedUpdate: Equatable, Sendable {
    public let campaign: CampaignID
    public let key: RoundKey
    /// The model that it was trained from.
    public let model: Digest
    public let adapter: Digest?
    public let update: Digest
    public let byteCount: UInt64
    public let localLoss: Double

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - campaign: The campaign that it is for.
    ///   - key: The round and the attempt that it was trained for.
    ///   - model: The SHA-256 of the model that it was trained from.
    ///   - adapter: The SHA-256 of the adapter that it was trained from; `nil` without LoRA, and in the first round.
    ///   - update: The SHA-256 of the update's file.
    ///   - byteCount: The size of that file in bytes.
    ///   - localLoss: The mean loss over the local steps.
    public init(
        campaign: CampaignID,
        key: RoundKey,
        model: Digest,
        adapter: Digest? = nil,
        update: Digest,
        byteCount: UInt64,
        localLoss: Double
    ) {
        self.campaign = campaign
        self.key = key
        self.model = model
        self.adapter = adapter
        self.update = update
        self.byteCount = byteCount
        self.localLoss = localLoss
    }
}
