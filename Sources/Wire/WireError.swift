/// Bytes from outside that are not the message they should be.
public struct WireError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The field or message, as the .proto files name it.
    public let field: String
    public let message: String

    public init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }

    public var description: String { "\(field): \(message)" }
}
