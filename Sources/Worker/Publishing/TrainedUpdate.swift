import Federation

/// An update in the site's blob store that is not signed yet.
package struct TrainedUpdate: Equatable, Sendable {
    package let digest: Digest
    package let byteCount: UInt64
    /// The number of samples of the demonstrations.
    package let samples: UInt32
    /// The mean loss over the local steps.
    package let loss: Double

    package init(digest: Digest, byteCount: UInt64, samples: UInt32, loss: Double) {
        self.digest = digest
        self.byteCount = byteCount
        self.samples = samples
        self.loss = loss
    }
}
