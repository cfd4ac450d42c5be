import Settings
/// Adapters instead of full fine-tuning (Hu 2022, arXiv:2106.09685): W + scale·B·A, of which only A [rank, in] and B
/// [out, rank] are trained and sent.
public struct LoRA: Equatable, Sendable {
    /// How the sites' factors are combined into one model. The mean of products is not the product of means.
    public enum Aggregation: String, Sendable, CaseIterable {
        /// Averages the factors, and folds the difference between the average of the products and the product of the
        /// averages into the model (FedEx-LoRA, Singhal 2024, arXiv:2410.09432).
        case exact
        /// Averages the factors and ignores that difference (FedIT, Zhang 2023, arXiv:2305.05644).
        case average
        /// Trains B in odd rounds and A in even ones, with the other frozen: the average is exact (RoLoRA, Chen 2025,
        /// arXiv:2502.01755).
        case alternating
        /// Keeps A at its initial value: the average is exact (FFA-LoRA, Sun 2024, arXiv:2403.12313).
        case frozenA = "frozen_a"
    }

    /// The rank of the global adapter; a site may train fewer of its components.
    public var rank: Int
    public var alpha: Double
    /// The last components of module names, like PEFT's `target_modules`.
    public var targets: [String]
    public var aggregation: Aggregation

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - rank: The rank of the global adapter.
    ///   - alpha: The scale of the adapter, times its rank.
    ///   - targets: The last components of the names of modules that have an adapter.
    ///   - aggregation: How the sites' factors are combined.
    public init(rank: Int, alpha: Double, targets: [String], aggregation: Aggregation = .exact) {
        self.rank = rank
        self.alpha = alpha
        self.targets = targets
        self.aggregation = aggregation
    }

    public var scale: Double { alpha / Double(rank) }

    /// Whether sites train A in `round` (from 1).
    ///
    /// - Parameter round: The round, from 1.
    public func trainsA(round: Int) -> Bool {
        switch aggregation {
        case .exact, .average: true
        case .alternating: round.isMultiple(of: 2)
        case .frozenA: false
        }
    }

    /// Whether sites train B in `round` (from 1).
    ///
    /// - Parameter round: The round, from 1.
    public func trainsB(round: Int) -> Bool { aggregation != .alternating || !round.isMultiple(of: 2) }
}
