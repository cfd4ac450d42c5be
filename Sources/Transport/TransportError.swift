/// A connection that cannot be established or kept, or a port that cannot be listened on.
public struct TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable { case unreachable, closed, timeout, frameTooLarge, unexpected, cannotListen }

    public let code: Code
    public let message: String
    /// What to do about it; empty if there is no advice.
    public let hint: String

    public init(_ code: Code, _ message: String, hint: String = "") {
        self.code = code
        self.message = message
        self.hint = hint
    }

    public static func == (a: TransportError, b: TransportError) -> Bool { a.code == b.code }
    public var description: String { message }
}
