/// The reason why a training has no result.
public struct TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String

    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }

    public var description: String { message }
}
