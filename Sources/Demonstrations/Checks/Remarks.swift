/// Unusual things in demonstrations that may still be correct; `doctor` shows one line for each kind.
struct Remarks {
    enum Kind: Int, CaseIterable {
        case robotUnnamed, numbering, zeroStart, zeroTail, zeroParts, oneColour, unseenSigns, alike

        fileprivate var text: String {
            switch self {
            case .robotUnnamed: "the data do not name the robot, so it was not compared with the contract's"
            case .numbering: "numbers are missing between the episodes"
            case .zeroStart: "steps before the end contain only zeros"
            case .zeroTail: "the last actions are all zeros"
            case .zeroParts: "a dataset contains only zeros for several steps, or in the last step: was it recorded?"
            case .oneColour: "all pixels of a camera have the same value"
            case .unseenSigns: "the policy ignores some characters of an instruction"
            case .alike: "the policy cannot distinguish these instructions"
            }
        }
    }

    private var examples: [Kind: [String]] = [:]
    private var counts: [Kind: Int] = [:]

    private static let listed = 8

    mutating func add(_ kind: Kind, _ example: String = "") {
        counts[kind, default: 0] += 1
        guard !example.isEmpty, examples[kind, default: []].count < Self.listed else { return }
        examples[kind, default: []].append(example)
    }

    var lines: [String] {
        Kind.allCases.compactMap { kind in
            guard let count = counts[kind] else { return nil }
            let listed = examples[kind] ?? []
            guard !listed.isEmpty else { return kind.text }
            return "\(kind.text): \(listed.joined(separator: ", "))"
                + (count > listed.count ? " and \(count - listed.count) more" : "")
        }
    }
}
