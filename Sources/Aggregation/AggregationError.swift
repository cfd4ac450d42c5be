/// A round that cannot be computed from the given files.
public struct AggregationError: Error, Sendable, CustomStringConvertible {
    public let message: String
    /// Creates an error.
    ///
    /// - Parameter message: Why the round cannot be computed.
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
