import Settings
/// How accepted updates produce the next model. `mean` is the weighted mean of the updates.
public enum Strategy: Equatable, Sendable {
    /// w ← w + η·mean (McMahan 2017).
    case fedAvg(learningRate: Double)
    /// m ← β·m + mean; w ← w + η·m (Reddi 2021).
    case fedAvgM(learningRate: Double, momentum: Double)
    /// m ← β·m + mean; w ← w + η·(mean + β·m): the outer optimiser of DiLoCo (Douillard 2023, arXiv:2311.08105).
    case nesterov(learningRate: Double, momentum: Double)
    /// Algorithm 2 of Reddi 2021 (arXiv:2003.00295), with second moments as in Adam.
    case fedAdam(AdaptiveMoments)
    /// The same algorithm, with second moments as in Yogi.
    case fedYogi(AdaptiveMoments)

    public var learningRate: Double {
        switch self {
        case .fedAvg(let rate), .fedAvgM(let rate, _), .nesterov(let rate, _): rate
        case .fedAdam(let moments), .fedYogi(let moments): moments.learningRate
        }
    }

    /// The number of values that the server keeps for each parameter between rounds.
    public var stateSlots: Int {
        switch self {
        case .fedAvg: 0
        case .fedAvgM, .nesterov: 1
        case .fedAdam, .fedYogi: 2
        }
    }

    public var hasServerState: Bool { stateSlots > 0 }
}

/// m ← β₁·m + (1 − β₁)·mean; w ← w + η·m / (√v + τ). Both moments start at zero, without bias correction.
public struct AdaptiveMoments: Equatable, Sendable {
    public var learningRate: Double
    public var beta1: Double
    public var beta2: Double
    /// τ, the degree of adaptivity: larger values reduce the differences between parameters' step sizes.
    public var adaptivity: Double

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - learningRate: η, the learning rate.
    ///   - beta1: β₁, the decay of the first moment, from 0 to below 1.
    ///   - beta2: β₂, the decay of the second moment, from 0 to below 1.
    ///   - adaptivity: τ, the degree of adaptivity, above 0.
    public init(
        learningRate: Double,
        beta1: Double = standard.beta1,
        beta2: Double = standard.beta2,
        adaptivity: Double = standard.adaptivity
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.adaptivity = adaptivity
    }

    /// What holds where a plan gives nothing else.
    public static let standard = (beta1: 0.9, beta2: 0.99, adaptivity: 1e-3)
}
