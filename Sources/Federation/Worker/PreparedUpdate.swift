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
