import Tensors

/// What a trainer gives: by how much each trained number changed.
public struct TrainingResult: Sendable {
    /// In the order of ``TrainedTensors/layout(rank:)``.
    package let change: any ValueSource
    /// Components of the adapter that were trained, if they are fewer than the plan's.
    public let rank: Int?
    /// Samples of demonstrations that it was trained on.
    public let samples: UInt32
    /// Mean over the local steps.
    public let loss: Double

    package init(change: any ValueSource, rank: Int? = nil, samples: UInt32, loss: Double) {
        self.change = change
        self.rank = rank
        self.samples = samples
        self.loss = loss
    }

    /// - Parameter change: in the order of ``TrainedTensors/layout(rank:)``.
    public init(change: [Float], rank: Int? = nil, samples: UInt32, loss: Double) {
        self.init(change: ArrayValues(change), rank: rank, samples: samples, loss: loss)
    }
}
