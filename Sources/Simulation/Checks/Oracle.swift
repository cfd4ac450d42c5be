import Federation

/// The aggregate as the plan defines it, computed by other code than the one that is checked: integers and float64, one
/// value after the other.
enum Oracle {
    struct Contribution {
        let values: [Float]
        let weight: UInt64
    }

    /// The next model and the next server state.
    static func step(
        model: [Float], state: [Float]?, _ contributions: [Contribution], scaleBits: Int, strategy: Strategy
    ) -> (model: [Float], state: [Float]?) {
        let scale = Double(sign: .plus, exponent: scaleBits, significand: 1)
        let total = contributions.reduce(0) { $0 + $1.weight }
        var next = model, momentum = state ?? [Float](repeating: 0, count: model.count)
        for index in model.indices {
            var sum: Int64 = 0
            for contribution in contributions {
                let quantised = Int64((Double(contribution.values[index]) * scale).rounded(.toNearestOrEven))
                sum += quantised * Int64(contribution.weight)
            }
            let mean = Double(sum) / (Double(total) * scale)
            switch strategy {
            case .fedAvg(let rate):
                next[index] = Float(Double(model[index]) + rate * mean)
            case .fedAvgM(let rate, let beta):
                momentum[index] = Float(beta * Double(momentum[index]) + mean)
                next[index] = Float(Double(model[index]) + rate * Double(momentum[index]))
            }
        }
        return (next, strategy.hasServerState ? momentum : nil)
    }
}
