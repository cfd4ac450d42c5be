import Contracts

/// Checks whether the values of a site's data have the units of the contract, and records their ranges.
struct ContractFit {
    private let contract: Contract
    private var state: [Spread]
    private var actions: [Spread]
    /// The numbers of steps that were added.
    private var stateSteps = 0
    private var actionSteps = 0

    /// If more than this share of a feature's values are beyond ±5 std, the unit is probably wrong.
    private static let suspiciousShare = 0.5
    /// The largest share of an action's values that may be outside the range by more than ``slack``.
    private static let outsideShare = 0.01
    /// How far an action's value may be outside its range, as a fraction of the range's width, because of rounding and
    /// controllers that overshoot.
    private static let slack = 0.05
    /// How far any single action value may be outside its range, in widths of the range.
    private static let farthest = 1.0
    /// How far any single state value may be from its mean, in std. Such a value is clamped, but no robot can have been
    /// in such a state.
    private static let farthestDeviations = 1000.0

    /// The values that were found in one dimension.
    private struct Spread {
        var least = Float.infinity
        var largest = -Float.infinity
        /// The number of values outside the contract's range.
        var outside = 0
        /// The number of values that are outside by more than ``slack``.
        var wrong = 0
        /// The value that is furthest outside, by how much (for the state: in std from the mean), and its place.
        var worst: (value: Float, excess: Double, demonstration: String, step: Int)?

        mutating func add(_ value: Float) {
            least = min(least, value)
            largest = max(largest, value)
        }
    }

    init(_ contract: Contract) {
        self.contract = contract
        state = [Spread](repeating: Spread(), count: contract.stateCount)
        actions = [Spread](repeating: Spread(), count: contract.action.dimensions.count)
    }

    /// Adds a demonstration's recorded values of a feature, row by row.
    ///
    /// - Parameter column: The index of the feature's first dimension in the state.
    mutating func add(state values: [Float], _ feature: StateFeature, column: Int, of demonstration: String) {
        for (index, value) in values.enumerated() {
            let number = index % feature.count
            state[column + number].add(value)
            let deviations = abs(Double(value) - Double(feature.mean[number])) / Double(feature.std[number])
            guard deviations > Double(StateFeature.clamp) else { continue }
            state[column + number].outside += 1
            if deviations > state[column + number].worst?.excess ?? 0 {
                state[column + number].worst = (value, deviations, demonstration, index / feature.count)
            }
        }
        if column == 0 { stateSteps += values.count / feature.count }
    }

    /// Adds a demonstration's recorded actions, row by row.
    mutating func add(actions values: [Float], of demonstration: String) {
        let dimensions = contract.action.dimensions
        for (index, value) in values.enumerated() {
            let number = index % dimensions.count
            actions[number].add(value)
            let dimension = dimensions[number]
            // In float64, because the width of a range of float32 values can overflow float32.
            let excess = max(Double(dimension.minimum) - Double(value), Double(value) - Double(dimension.maximum))
            guard excess > 0 else { continue }
            actions[number].outside += 1
            if excess > Self.slack * dimension.span { actions[number].wrong += 1 }
            if excess > actions[number].worst?.excess ?? 0 {
                actions[number].worst = (value, excess, demonstration, index / dimensions.count)
            }
        }
        actionSteps += values.count / dimensions.count
    }

    /// Describes what does not fit; `nil` if all values fit.
    func problem(_ path: String) -> ContractError? {
        // A feature that the contract contains with several offsets causes the same problem several times.
        var problems: [String] = []
        for problem in stateProblems() + actionProblems() where !problems.contains(problem) { problems.append(problem) }
        guard !problems.isEmpty else { return nil }
        return ContractError(
            "\(path): \(problems.joined(separator: "; "))",
            hint:
                """
                convert the data to the units of the base model's contract, and remove values that a sensor or a \
                recorder has damaged
                """
        )
    }

    private func stateProblems() -> [String] {
        var column = 0
        return contract.state.flatMap { feature -> [String] in
            defer { column += feature.count }
            let found = state[column..<column + feature.count]
            let (clamped, all) = (found.reduce(0) { $0 + $1.outside }, stateSteps * feature.count)
            if Double(clamped) > Self.suspiciousShare * Double(all) {
                return [
                    "\(percent(clamped, all)) of \(feature.key) is beyond ±5 std: is its unit not \(feature.unit)?"
                ]
            }
            return found.enumerated().compactMap { index, found in
                guard let worst = found.worst, worst.excess > Self.farthestDeviations else { return nil }
                return
                    "\(feature.key)[\(index)] is \(worst.value) in step \(worst.step) of \(worst.demonstration), "
                    + "more than "
                    + "\(Int(Self.farthestDeviations)) std from its mean (\(found.outside) of \(stateSteps) values "
                    + "are beyond ±5 std)"
            }
        }
    }

    private func actionProblems() -> [String] {
        zip(contract.action.dimensions, actions).flatMap { dimension, found -> [String] in
            let range =
                "\(dimension.minimum) to \(dimension.maximum)" + (dimension.unit == "1" ? "" : " \(dimension.unit)")
            var problems: [String] = []
            if Double(found.wrong) > Self.outsideShare * Double(actionSteps) {
                problems.append("\(percent(found.wrong, actionSteps)) of action \(dimension.name) is outside \(range)")
            }
            if let worst = found.worst, worst.excess > Self.farthest * dimension.span {
                problems.append(
                    "action \(dimension.name) is \(worst.value) in step \(worst.step) of \(worst.demonstration), "
                        + "further outside \(range) "
                        + "than that range is wide (\(found.outside) of \(actionSteps) values are outside)"
                )
            }
            return problems
        }
    }

    private func percent(_ part: Int, _ whole: Int) -> String {
        let share = 100 * Double(part) / Double(max(1, whole))
        return share < 10 ? "\((share * 10).rounded() / 10) %" : "\(Int(share.rounded())) %"
    }

    // MARK: Summary

    var actionSummary: [DemonstrationSummary.Dimension] {
        // Without steps, there is no least value.
        guard actionSteps > 0 else { return [] }
        return zip(contract.action.dimensions, actions).map { dimension, found in
            DemonstrationSummary.Dimension(
                name: dimension.name,
                unit: dimension.unit,
                least: found.least,
                largest: found.largest,
                contractLeast: dimension.minimum,
                contractLargest: dimension.maximum,
                outside: found.outside
            )
        }
    }

    var stateSummary: [DemonstrationSummary.Dimension] {
        guard stateSteps > 0 else { return [] }
        var column = 0
        return contract.state.flatMap { feature -> [DemonstrationSummary.Dimension] in
            defer { column += feature.count }
            return (0..<feature.count).map { index -> DemonstrationSummary.Dimension in
                let (found, reach) = (state[column + index], StateFeature.clamp * feature.std[index])
                return DemonstrationSummary.Dimension(
                    name: "\(feature.key)[\(index)]" + (feature.offset == 0 ? "" : " of step \(feature.offset)"),
                    unit: feature.unit,
                    least: found.least,
                    largest: found.largest,
                    contractLeast: Self.finite(feature.mean[index] - reach),
                    contractLargest: Self.finite(feature.mean[index] + reach),
                    outside: found.outside
                )
            }
        }
    }

    private static func finite(_ value: Float) -> Float {
        max(-.greatestFiniteMagnitude, min(.greatestFiniteMagnitude, value))
    }
}

extension ActionSpace.Dimension {
    fileprivate var span: Double { Double(maximum) - Double(minimum) }
}
