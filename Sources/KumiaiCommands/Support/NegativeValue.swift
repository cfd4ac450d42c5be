import ArgumentParser

/// An option with a negative number: no option of this program takes one, and the parser reads it as an option.
struct NegativeValue {
    let option: String
    let value: String

    /// `nil` if there is none.
    init?(_ arguments: [String]) {
        let arguments = arguments.prefix { $0 != "--" }
        guard
            let found = zip(arguments, arguments.dropFirst()).first(where: {
                $0.hasPrefix("-") && Double($0) == nil && Self.isNegative($1)
            })
        else {
            return nil
        }
        (option, value) = found
    }

    private static func isNegative(_ word: String) -> Bool {
        word.hasPrefix("-") && word.dropFirst().first?.isNumber == true && Double(word) != nil
    }

    /// The usage error to report.
    var failure: Failure {
        var failure = Failure(ValidationError("\(option): expected a number that is not negative, not \(value)"))
        failure.hint = "see --help"
        return failure
    }
}
