/// A ledger that cannot be read, written or trusted.
public struct LedgerError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable { case unreadable, malformed, badSignature, tampered, replaced, full, failed }

    public let code: Code
    public let message: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - message: What is wrong, for the user.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether two errors have the same code; their messages may differ.
    ///
    /// - Parameters:
    ///   - a: An error.
    ///   - b: The error to compare it with.
    public static func == (a: LedgerError, b: LedgerError) -> Bool { a.code == b.code }
    public var description: String { message }
}
