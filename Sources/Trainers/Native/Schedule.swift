/// The learning rate over the steps of one site's turn: a linear warm-up, then constant or falling linearly.
public struct Schedule: Equatable, Sendable {
    public var peak: Double
    public var warmupSteps: Int
    /// Fraction of the peak at the end; 1 for constant.
    public var decayTo: Double
    public var steps: Int

    public init(peak: Double, warmupSteps: Int = 0, decayTo: Double = 1, steps: Int) {
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.decayTo = decayTo
        self.steps = steps
    }

    /// A short warm-up for AdamW's moments, which start afresh each round.
    public static func round(rate: Double, steps: Int) -> Schedule {
        Schedule(peak: rate, warmupSteps: min(10, steps / 2), steps: steps)
    }

    /// The rate of step `index`, from 0.
    public func rate(_ index: Int) -> Float {
        let warmup = warmupSteps == 0 ? 1 : min(1, Double(index + 1) / Double(warmupSteps))
        return Float(peak * warmup * (1 - (1 - decayTo) * Double(index) / Double(max(1, steps))))
    }
}
