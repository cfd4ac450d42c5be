import COpenSSL
import Federation
import Glibc

/// A failure of keys, certificates or TLS. Two errors are equal if their codes are.
public struct IdentityError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case unreadable
        /// A private key that users other than its owner may read.
        case exposed
        /// A file that would be overwritten exists.
        case exists
        case malformed
        case notTrusted
        case expired
        case notYetValid
        case revoked
        /// The certificate authority itself has expired or is not valid yet.
        case authorityEnded
        /// The revocation list is missing, out of date, or not signed by the authority.
        case revocationList
        case wrongIdentity
        case badSignature
        case handshake
        case truncated
        case failed
    }

    public let code: Code
    /// A constant text that states what went wrong.
    public let message: String
    /// Details from OpenSSL or from the certificate.
    public let detail: String
    /// What to do; empty if the code says it.
    public let hint: String
    /// The peer's certificate, if the error is its refusal.
    public let refused: RefusedCertificate?
    /// The local file that the error is about, if any.
    public let file: String?

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - message: A constant text that states what went wrong.
    ///   - detail: Details from OpenSSL or from the certificate.
    ///   - hint: What to do; empty if the code says it.
    ///   - refused: The peer's certificate, if the error is its refusal.
    ///   - file: The path of the local file that the error is about, if any.
    public init(
        _ code: Code,
        _ message: String,
        detail: String = "",
        hint: String = "",
        refused: RefusedCertificate? = nil,
        file: String? = nil
    ) {
        self.code = code
        self.message = message
        self.detail = detail
        self.hint = hint
        self.refused = refused
        self.file = file
    }

    /// Whether two errors have the same code; their texts may differ.
    ///
    /// - Parameters:
    ///   - a: An error.
    ///   - b: The error to compare it with.
    public static func == (a: IdentityError, b: IdentityError) -> Bool { a.code == b.code }
    public var description: String { detail.isEmpty ? message : "\(message): \(detail)" }

    /// Returns the same error about the contents of the file at `path`.
    func inFile(_ path: String) -> IdentityError {
        IdentityError(
            code,
            message,
            detail: detail.isEmpty ? path : "\(path): \(detail)",
            hint: hint,
            refused: refused,
            file: path
        )
    }

    /// Shortens OpenSSL's name of an alert, which starts with the TLS version that introduced it.
    private static func plain(_ reason: String) -> String {
        let words = reason.split(separator: " ")
        guard let alert = words.firstIndex(of: "alert") else { return reason }
        return "alert of the other side: \(words[(alert + 1)...].joined(separator: " "))"
    }

    /// Creates an error with the contents of this thread's OpenSSL error queue, and empties the queue.
    static func openSSL(_ code: Code, _ message: String, hint: String = "") -> IdentityError {
        var reasons: [String] = []
        while case let error = ERR_get_error(), error != 0 {
            if let reason = ERR_reason_error_string(error) { reasons.append(plain(String(cString: reason))) }
        }
        return IdentityError(code, message, detail: reasons.joined(separator: ", "), hint: hint)
    }

    static func system(_ code: Code, _ message: String, _ path: String, hint: String = "") -> IdentityError {
        IdentityError(code, message, detail: "\(path): \(String(cString: strerror(errno)))", hint: hint, file: path)
    }
}

/// The identity and validity period of a peer's certificate that was refused.
public struct RefusedCertificate: Equatable, Sendable {
    /// For example `member/acme/site/osaka`, or the subject if the certificate names no principal of a consortium.
    public let name: String
    /// The role that the certificate names, if a trusted authority has signed it; otherwise the role could be forged.
    public let principal: Principal?
    public let term: ValidityPeriod
}
