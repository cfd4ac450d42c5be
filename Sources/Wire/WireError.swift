/// Bytes from outside that are not a valid message.
public struct WireError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The name of the field or message in the .proto files.
    public let field: String
    public let message: String

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - field: The name of the field or message in the .proto files.
    ///   - message: What is wrong, as it follows the field and a colon.
    public init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }

    public var description: String { "\(field): \(message)" }
}
