import Glibc

/// A blob that cannot be stored or read.
public struct BlobError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable { case missing, damaged, wrongOffset, busy, full, failed }

    public let code: Code
    public let message: String

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: The kind of the error.
    ///   - message: What is wrong, as a sentence for the user.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Creates an error for the system call that just failed, from `errno`.
    static func system(_ message: String) -> BlobError {
        let number = errno
        let code: Code = number == ENOSPC || number == EDQUOT ? .full : number == ENOENT ? .missing : .failed
        return BlobError(code, "\(message): \(String(cString: strerror(number)))")
    }

    /// Whether two errors have the same code; their messages are not compared.
    ///
    /// - Parameters:
    ///   - a: An error.
    ///   - b: Another error.
    public static func == (a: BlobError, b: BlobError) -> Bool { a.code == b.code }
    public var description: String { message }
}
