import Contracts

/// What does not fit in a site's demonstrations: the first ones in words, the others counted.
struct Misfits {
    private var texts: [String] = []
    private var hint = ""
    private var count = 0
    /// An error that names a file says its path once.
    private let path: String

    /// Demonstrations, or other subjects, that are described.
    private static let described = 8

    init(_ path: String) { self.path = path }

    var isEmpty: Bool { count == 0 }

    mutating func note(_ error: ContractError) {
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

    /// `nil` where everything fits.
    var error: ContractError? {
        guard !isEmpty else { return nil }
        let others = count - texts.count
        return ContractError(
            texts.joined(separator: "; ") + (others > 0 ? "; and \(others) more demonstrations do not fit" : ""),
            hint: hint
        )
    }
}
