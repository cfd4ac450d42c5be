import COpenSSL

/// A failure of keys, certificates or TLS. Two are equal when their codes are.
public struct IdentityError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case unreadable
        case malformed
        case notTrusted
        case expired
        case notYetValid
        case wrongIdentity
        case badSignature
        case handshake
        case truncated
        case failed
    }

    public let code: Code
    /// Constant text that names what went wrong.
    public let message: String
    /// What OpenSSL or the certificate said.
    public let detail: String

    public init(_ code: Code, _ message: String, detail: String = "") {
        self.code = code
        self.message = message
        self.detail = detail
    }

    public static func == (a: IdentityError, b: IdentityError) -> Bool { a.code == b.code }
    public var description: String { detail.isEmpty ? message : "\(message): \(detail)" }

    /// Drains OpenSSL's error queue of this thread into a value.
    static func openSSL(_ code: Code, _ message: String) -> IdentityError {
        var reasons: [String] = []
        while case let error = ERR_get_error(), error != 0 {
            if let reason = ERR_reason_error_string(error) { reasons.append(String(cString: reason)) }
        }
        return IdentityError(code, message, detail: reasons.joined(separator: ", "))
    }
}
