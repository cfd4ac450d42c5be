/// Whether the values of a site's data are in the units that a contract means.
struct ContractFit {
    private let contract: Contract
    private var clamped: [Int]
    private var states: [Int]
    private var outside: [Int]
    private var actions = 0

    /// A share of values beyond what the contract expects that no robot in these units would have.
    private static let suspiciousShare = 0.5
    private static let outsideShare = 0.01
    /// How far beyond its range an action's value may be: rounding, and controllers that overshoot.
    private static let slack: Float = 0.05

    init(_ contract: Contract) {
        self.contract = contract
        clamped = [Int](repeating: 0, count: contract.state.count)
        states = clamped
        outside = [Int](repeating: 0, count: contract.action.dimensions.count)
    }

    /// Notes a normalised value of the feature at `index`.
    mutating func note(state index: Int, _ value: Float) {
        states[index] += 1
        if abs(value) > StateFeature.clamp { clamped[index] += 1 }
    }

    /// Notes actions as they stand in the file, a row after the other.
    mutating func note(actions values: [Float]) {
        let dimensions = contract.action.dimensions
        for (index, value) in values.enumerated() {
            let dimension = dimensions[index % dimensions.count]
            let margin = Self.slack * (dimension.maximum - dimension.minimum)
            if value < dimension.minimum - margin || value > dimension.maximum + margin { outside[index % dimensions.count] += 1 }
        }
        actions += values.count / dimensions.count
    }

    func check(_ path: String) throws {
        var problems: [String] = []
        for (index, feature) in contract.state.enumerated() where Double(clamped[index]) > Self.suspiciousShare * Double(states[index]) {
            problems.append("\(percent(clamped[index], states[index])) of \(feature.key) is beyond ±5 std: in another unit than \(feature.unit)?")
        }
        for (index, dimension) in contract.action.dimensions.enumerated() where Double(outside[index]) > Self.outsideShare * Double(actions) {
            problems.append(
                "\(percent(outside[index], actions)) of action \(dimension.name) is outside \(dimension.minimum) to \(dimension.maximum)"
                    + (dimension.unit == "1" ? "" : " \(dimension.unit)"))
        }
        guard problems.isEmpty else {
            throw LearningError("\(path): \(problems.joined(separator: "; "))", hint: "convert the data to the units of the base model's contract")
        }
    }

    private func percent(_ part: Int, _ whole: Int) -> String { "\(100 * part / max(1, whole)) %" }
}
