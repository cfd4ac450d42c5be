/// The learning rate over the steps of a site's training in a round: a linear warm-up, then constant or linear decay.
package struct Schedule: Equatable, Sendable {
    package var peak: Double
    package var warmupSteps: Int
    /// The rate at the end as a fraction of the peak; 1 for a constant rate.
    package var decayTo: Double
    package var steps: Int

    package init(peak: Double, warmupSteps: Int = 0, decayTo: Double = 1, steps: Int) {
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.decayTo = decayTo
        self.steps = steps
    }

    /// The schedule of a round: a short warm-up, because AdamW's moments start from zero in each round.
    package static func round(rate: Double, steps: Int) -> Schedule {
        Schedule(peak: rate, warmupSteps: min(10, steps / 2), steps: steps)
    }

    /// Returns the rate of step `index`, counted from 0.
    package func rate(_ index: Int) -> Float {
        let warmup = warmupSteps == 0 ? 1 : min(1, Double(index + 1) / Double(warmupSteps))
        return Float(peak * warmup * (1 - (1 - decayTo) * Double(index) / Double(max(1, steps))))
    }
}
