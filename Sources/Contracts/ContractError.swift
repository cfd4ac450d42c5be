/// A model that the built-in trainer does not support, or demonstrations that do not fit the model's contract.
public struct ContractError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    /// Creates an error.
    ///
    /// - Parameters:
    ///   - message: What is wrong, as a sentence for the user.
    ///   - hint: What the user can do; empty if there is no advice.
    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
    public var description: String { message }
}
