import Settings
/// What a site trains in a round.
public struct Training: Equatable, Sendable {
    /// Optimiser steps per round; 0 if ``localEpochs`` sets the length.
    public var localSteps: Int
    /// Passes over the site's samples per round; 0 if ``localSteps`` sets the length.
    public var localEpochs: Int
    public var batch: Int
    public var learningRate: Double
    public var schedule: RateSchedule
    public var weightDecay: Double
    public var gradientClip: Double
    public var betas: AdamBetas
    /// FedProx (Li 2020, arXiv:1812.06127): μ/2·‖w − w₀‖² is added to the loss; 0 turns it off.
    public var proximal: Double
    public var seed: UInt64
    /// If present, adapters are trained instead of the model's own weights.
    public var lora: LoRA?

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - localSteps: Optimiser steps per round; 0 if `localEpochs` sets the length.
    ///   - localEpochs: Passes over the site's samples per round; 0 if `localSteps` sets the length.
    ///   - batch: Samples of a step.
    ///   - learningRate: The peak learning rate of the campaign.
    ///   - schedule: How the learning rate changes over the rounds.
    ///   - weightDecay: AdamW's decay of the weights per step, times the learning rate.
    ///   - gradientClip: The largest Euclidean norm of a step's gradient; a longer one is scaled down.
    ///   - betas: The decays of AdamW's moments.
    ///   - proximal: FedProx's μ; 0 turns it off.
    ///   - seed: The seed of all random numbers of the training.
    ///   - lora: The adapters to train; `nil` to train the model's own weights.
    public init(
        localSteps: Int,
        localEpochs: Int = 0,
        batch: Int,
        learningRate: Double,
        schedule: RateSchedule = RateSchedule(),
        weightDecay: Double = 1e-4,
        gradientClip: Double = 1,
        betas: AdamBetas = .standard,
        proximal: Double = 0,
        seed: UInt64 = 0,
        lora: LoRA? = nil
    ) {
        self.localSteps = localSteps
        self.localEpochs = localEpochs
        self.batch = batch
        self.learningRate = learningRate
        self.schedule = schedule
        self.weightDecay = weightDecay
        self.gradientClip = gradientClip
        self.betas = betas
        self.proximal = proximal
        self.seed = seed
        self.lora = lora
    }

    /// Returns the number of steps per round for a site with this number of samples.
    ///
    /// - Parameter samples: The number of the site's samples. If the plan counts in epochs, a partial last batch is a
    ///   step, and the result is from 1 to ``PlanLimits/localSteps``.
    public func steps(samples: Int) -> Int {
        localEpochs == 0 ? localSteps : min(PlanLimits.localSteps, max(1, (localEpochs * samples + batch - 1) / batch))
    }

    /// Returns the peak learning rate in `round` (from 1) of `rounds`.
    ///
    /// - Parameters:
    ///   - round: The round, from 1.
    ///   - rounds: The number of rounds of the campaign.
    public func learningRate(round: Int, of rounds: Int) -> Double {
        learningRate * schedule.factor(round: round, of: rounds)
    }
}

/// How fast AdamW's moments forget (Loshchilov & Hutter 2019, arXiv:1711.05101).
public struct AdamBetas: Equatable, Sendable {
    public var first: Double
    public var second: Double

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - first: β₁, the decay of the mean of the gradients.
    ///   - second: β₂, the decay of the mean of their squares.
    public init(first: Double, second: Double) {
        self.first = first
        self.second = second
    }

    public static let standard = AdamBetas(first: 0.9, second: 0.95)
}

/// The schedule of the sites' learning rate over the rounds.
public struct RateSchedule: Equatable, Sendable {
    public enum Shape: String, Sendable, CaseIterable { case linear, cosine, constant }

    public var shape: Shape
    /// The fraction of the peak rate that is reached in the last round.
    public var decayTo: Double
    /// The number of rounds in which the rate rises linearly from zero.
    public var warmupRounds: Int

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - shape: How the rate falls.
    ///   - decayTo: The fraction of the peak rate towards which it falls, 0 to 1.
    ///   - warmupRounds: The number of rounds in which it rises linearly from zero.
    public init(_ shape: Shape = .linear, decayTo: Double = 0.1, warmupRounds: Int = 0) {
        self.shape = shape
        self.decayTo = decayTo
        self.warmupRounds = warmupRounds
    }

    /// Returns the fraction of the peak rate in `round` (from 1) of `rounds`.
    ///
    /// - Parameters:
    ///   - round: The round, from 1.
    ///   - rounds: The number of rounds of the campaign, at least 1.
    public func factor(round: Int, of rounds: Int) -> Double {
        let passed = Double(round - 1) / Double(rounds)
        let warmup = warmupRounds == 0 ? 1 : min(1, Double(round) / Double(warmupRounds))
        switch shape {
        case .constant: return warmup
        case .linear: return warmup * (1 - (1 - decayTo) * passed)
        case .cosine: return warmup * (decayTo + (1 - decayTo) * 0.5 * (1 + Self.cosine(passed)))
        }
    }

    /// cos(π·x) for 0 ≤ x ≤ 1 by its series: this module has no mathematics library, and every site must get the same
    /// rate.
    private static func cosine(_ x: Double) -> Double {
        // Expand around ½, where the sine's argument is small: cos(π·x) = −sin(π·(x − ½)).
        let y = Double.pi * (x - 0.5), square = y * y
        var term = y, sum = y
        for n in 1...12 {
            term *= -square / Double(2 * n * (2 * n + 1))
            sum += term
        }
        return -sum
    }
}

extension Training {
    /// The length of a round's training, in words.
    public var length: String { localEpochs > 0 ? "\(localEpochs) epochs" : "\(localSteps) steps" }
}
