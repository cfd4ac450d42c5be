import Tensors

/// How the samples of a step are chosen.
package enum Sampling: Equatable, Sendable {
    /// Drawn with replacement.
    case random
    /// Each sample once per epoch, in a new order for each epoch.
    case epochs
}

/// Draws samples step by step; can start at any step.
struct Sampler {
    private let sampling: Sampling
    private let count: Int
    private let batch: Int
    /// The seed of the epochs' orders. The generator of the noise is not used for them, so that the order of any epoch
    /// can be computed independently.
    private let seed: UInt64
    private var order: (epoch: Int, indices: [Int]) = (-1, [])

    init(_ sampling: Sampling, count: Int, batch: Int, seed: UInt64) {
        self.sampling = sampling
        self.count = count
        self.batch = batch
        self.seed = seed
    }

    mutating func indices(step: Int, using generator: inout SeededGenerator) -> [Int] {
        switch sampling {
        case .random: return (0..<batch).map { _ in Int.random(in: 0..<count, using: &generator) }
        case .epochs: return (step * batch..<(step + 1) * batch).map { index(at: $0) }
        }
    }

    private mutating func index(at position: Int) -> Int {
        let epoch = position / count
        if order.epoch != epoch {
            var generator = SeededGenerator(seed: seed, label: "epoch", round: epoch)
            order = (epoch, Array(0..<count).shuffled(using: &generator))
        }
        return order.indices[position % count]
    }
}
