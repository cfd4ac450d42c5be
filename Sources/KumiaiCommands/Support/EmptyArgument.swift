import ArgumentParser

/// An empty argument: in a script, an unset variable. As a path, it could name the root directory.
struct EmptyArgument {
    /// The argument before it, if there is one.
    let place: String?

    /// `nil` if no argument is empty.
    init?(_ arguments: [String]) {
        guard let index = arguments.firstIndex(where: \.isEmpty) else { return nil }
        place = index > 0 ? arguments[index - 1] : nil
    }

    /// The usage error to report.
    var failure: Failure {
        var failure = Failure(ValidationError("an argument is empty\(place.map { ": the one after \($0)" } ?? "")"))
        failure.hint = "check that all variables in the command are set"
        return failure
    }
}
