import Federation

/// An update in the site's blob store that is not signed yet.
public struct TrainedUpdate: Equatable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    /// The number of samples of the demonstrations.
    public let samples: UInt32
    /// The mean loss over the local steps.
    public let loss: Double

    public init(digest: Digest, byteCount: UInt64, samples: UInt32, loss: Double) {
        self.digest = digest
        self.byteCount = byteCount
        self.samples = samples
        self.loss = loss
    }
}
