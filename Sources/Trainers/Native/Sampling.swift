import Tensors

/// Which samples a step sees.
public enum Sampling: Equatable, Sendable {
    /// Drawn with replacement.
    case random
    /// Each sample once an epoch, in another order each time.
    case epochs
}

/// Draws samples step by step; goes on from any step.
struct Sampler {
    private let sampling: Sampling
    private let count: Int
    private let batch: Int
    /// Orders are drawn from here, and not from the generator of the noise: any epoch's order can be had by itself.
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
