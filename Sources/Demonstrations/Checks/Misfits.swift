import Contracts

/// The demonstrations of a site that do not fit: the first ones are described, the others are only counted.
struct Misfits {
    private var texts: [String] = []
    private var hint = ""
    private var count = 0
    /// The path of the demonstrations, which the combined error contains only once.
    private let path: String

    /// The number of errors that are described.
    private static let described = 8

    init(_ path: String) { self.path = path }

    var isEmpty: Bool { count == 0 }

    mutating func add(_ error: ContractError) {
        count += 1
        guard texts.count < Self.described else { return }
        if texts.isEmpty { hint = error.hint }
        let text = "\(error)"
        texts.append(
            texts.isEmpty
                ? text
                : [", ", ": "].reduce(text) { $0.hasPrefix(path + $1) ? String($0.dropFirst((path + $1).count)) : $0 }
        )
    }

    /// The combined error; `nil` if everything fits.
    var error: ContractError? {
        guard !isEmpty else { return nil }
        let others = count - texts.count
        return ContractError(
            texts.joined(separator: "; ") + (others > 0 ? "; and \(others) more demonstrations do not fit" : ""),
            hint: hint
        )
    }
}
