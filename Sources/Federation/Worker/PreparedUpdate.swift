/// A trained update that is on the worker's disk, signed and ready to go.
public struct PreparedUpdate: Equatable, Sendable {
    public let campaign: CampaignID
    public let key: RoundKey
    public let update: Digest
    public let byteCount: UInt64
    public let localLoss: Double

    public init(campaign: CampaignID, key: RoundKey, update: Digest, byteCount: UInt64, localLoss: Double) {
        self.campaign = campaign
        self.key = key
        self.update = update
        self.byteCount = byteCount
        self.localLoss = localLoss
    }
}
