/// A connection that cannot be established or kept, or a port that cannot be listened on.
package struct TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable { case unreachable, closed, timeout, frameTooLarge, unexpected, cannotListen }

    package let code: Code
    package let message: String
    /// What to do about it; empty if there is no advice.
    package let hint: String

    package init(_ code: Code, _ message: String, hint: String = "") {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package static func == (a: TransportError, b: TransportError) -> Bool { a.code == b.code }
    package var description: String { message }
}
