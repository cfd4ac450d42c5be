/// What is odd in demonstrations, and may be right all the same: said by `doctor`, a line for each kind.
struct Remarks {
    enum Kind: Int, CaseIterable {
        case robotUnsaid, numbering, zeroStart, zeroTail, zeroParts, oneColour, unseenSigns, alike

        fileprivate var text: String {
            switch self {
            case .robotUnsaid: "which robot recorded them is not said, so it was not compared with the contract's"
            case .numbering: "numbers are missing between the episodes"
            case .zeroStart: "steps before the end hold nothing but zeros"
            case .zeroTail: "the last actions are all zeros"
            case .zeroParts: "a dataset holds nothing but zeros for several steps, or in the last: was it recorded?"
            case .oneColour: "all pixels of a camera have one value"
            case .unseenSigns: "the policy does not see signs of an instruction"
            case .alike: "instructions are the same to the policy"
            }
        }
    }

    private var examples: [Kind: [String]] = [:]
    private var counts: [Kind: Int] = [:]

    private static let listed = 8

    mutating func note(_ kind: Kind, _ example: String = "") {
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
