import Federation

/// The plan's aggregation, computed by independent code: with integers and float64, one value at a time.
enum Oracle {
    struct Contribution {
        let values: [Float]
        let weight: UInt64
    }

    /// Returns the next model and the next server state.
    static func step(
        model: [Float],
        state: [Float]?,
        _ contributions: [Contribution],
        scaleBits: Int,
        strategy: Strategy
    ) -> (model: [Float], state: [Float]?) {
        let scale = Double(sign: .plus, exponent: scaleBits, significand: 1)
        let total = contributions.reduce(0) { $0 + $1.weight }
        let slots = strategy.stateSlots
        var next = model, kept = state ?? [Float](repeating: 0, count: slots * model.count)
        for index in model.indices {
            var sum: Int64 = 0
            for contribution in contributions {
                let quantised = Int64((Double(contribution.values[index]) * scale).rounded(.toNearestOrEven))
                sum += quantised * Int64(contribution.weight)
            }
            let mean = Double(sum) / (Double(total) * scale)
            var change = strategy.learningRate * move(mean, strategy, &kept, at: slots * index)
            if case .fedAdam(let moments) = strategy {
                change /= Double(kept[2 * index + 1]).squareRoot() + moments.adaptivity
            }
            if case .fedYogi(let moments) = strategy {
                change /= Double(kept[2 * index + 1]).squareRoot() + moments.adaptivity
            }
            next[index] = Float(Double(model[index]) + change)
        }
        return (next, strategy.hasServerState ? kept : nil)
    }

    /// Returns the value that the learning rate is multiplied with.
    private static func move(_ mean: Double, _ strategy: Strategy, _ state: inout [Float], at place: Int) -> Double {
        switch strategy {
        case .fedAvg: return mean
        case .fedAvgM(_, let beta):
            state[place] = Float(beta * Double(state[place]) + mean)
            return Double(state[place])
        case .nesterov(_, let beta):
            state[place] = Float(beta * Double(state[place]) + mean)
            return mean + beta * Double(state[place])
        case .fedAdam(let moments), .fedYogi(let moments):
            let square = mean * mean, old = Double(state[place + 1])
            state[place] = Float(moments.beta1 * Double(state[place]) + (1 - moments.beta1) * mean)
            if case .fedAdam = strategy {
                state[place + 1] = Float(moments.beta2 * old + (1 - moments.beta2) * square)
            } else {
                state[place + 1] = Float(
                    old - (1 - moments.beta2) * square * (old > square ? 1 : old < square ? -1 : 0)
                )
            }
            return Double(state[place])
        }
    }
}
