/// A verification failure: something is not what it claims to be.
public struct VerificationError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    /// Makes an error.
    ///
    /// - Parameter message: What is not what it claims to be, for the user.
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
