import Federation

/// An update that lies in the site's store, not signed yet.
public struct TrainedUpdate: Equatable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    /// Demonstration samples that it was trained on.
    public let samples: UInt32
    /// Mean over the local steps.
    public let loss: Double

    public init(digest: Digest, byteCount: UInt64, samples: UInt32, loss: Double) {
        self.digest = digest
        self.byteCount = byteCount
        self.samples = samples
        self.loss = loss
    }
}
