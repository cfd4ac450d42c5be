import ArgumentParser

/// An argument without a character: in a script, a variable that was not set. As a path it would be the root directory.
struct EmptyArgument {
    /// The word before it, if there is one.
    let place: String?

    /// `nil` where no argument is empty.
    init?(_ arguments: [String]) {
        guard let index = arguments.firstIndex(where: \.isEmpty) else { return nil }
        place = index > 0 ? arguments[index - 1] : nil
    }

    /// Wrong usage, as it is reported.
    var failure: Failure {
        var failure = Failure(ValidationError("an argument is empty\(place.map { ": the one after \($0)" } ?? "")"))
        failure.hint = "is it a variable that is not set?"
        return failure
    }
}
