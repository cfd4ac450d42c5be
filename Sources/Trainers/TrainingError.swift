/// The reason why a training has no result.
package struct TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
    package let message: String
    package let hint: String

    package init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }

    package var description: String { message }
}
