import Tensors

/// The result of a training: the change of each trained value.
package struct TrainingResult: Sendable {
    /// In the order of `TrainedTensors.layout(rank:)`.
    package let change: any ValueSource
    /// The number of adapter components that were trained, if it is smaller than the plan's; otherwise `nil`.
    package let rank: Int?
    /// The number of samples of the demonstrations: the weight of the update, up to the plan's bound.
    package let samples: UInt32
    /// The mean loss over the local steps.
    package let loss: Double

    package init(change: any ValueSource, rank: Int? = nil, samples: UInt32, loss: Double) {
        self.change = change
        self.rank = rank
        self.samples = samples
        self.loss = loss
    }

    /// - Parameters:
    ///   - change: The change of each trained value, in the order of `TrainedTensors.layout(rank:)`.
    ///   - rank: The number of adapter components that were trained, if it is smaller than the plan's.
    ///   - samples: The number of samples of the demonstrations.
    ///   - loss: The mean loss over the local steps.
    package init(change: [Float], rank: Int? = nil, samples: UInt32, loss: Double) {
        self.init(change: ArrayValues(change), rank: rank, samples: samples, loss: loss)
    }
}
