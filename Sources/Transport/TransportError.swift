/// A connection that cannot be made or kept.
public struct TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable { case unreachable, closed, timeout, frameTooLarge, unexpected }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public static func == (a: TransportError, b: TransportError) -> Bool { a.code == b.code }
    public var description: String { message }
}
