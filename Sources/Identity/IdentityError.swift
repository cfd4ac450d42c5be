import COpenSSL
import Federation
import Glibc

/// A failure of keys, certificates or TLS. Two are equal when their codes are.
public struct IdentityError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case unreadable
        /// A private key that others than its owner may read.
        case exposed
        /// What would be overwritten is there.
        case exists
        case malformed
        case notTrusted
        case expired
        case notYetValid
        case revoked
        /// The certificate authority itself is past its end, or before its beginning.
        case authorityEnded
        /// The list of revoked certificates is missing, too old, or not the authority's.
        case revocationList
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
    /// What to do; empty where the code says it.
    public let hint: String
    /// The certificate of the peer that was refused, where it was refused for what it is.
    public let refused: RefusedCertificate?
    /// The file that it is about, where it is about one of this machine's.
    public let file: String?

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

    public static func == (a: IdentityError, b: IdentityError) -> Bool { a.code == b.code }
    public var description: String { detail.isEmpty ? message : "\(message): \(detail)" }

    /// The same, of what stands in the file at `path`.
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

    /// OpenSSL names an alert after the version of TLS that had it first, which says nothing to a reader.
    private static func plain(_ reason: String) -> String {
        let words = reason.split(separator: " ")
        guard let alert = words.firstIndex(of: "alert") else { return reason }
        return "alert of the other side: \(words[(alert + 1)...].joined(separator: " "))"
    }

    /// Drains OpenSSL's error queue of this thread into a value.
    static func openSSL(_ code: Code, _ message: String) -> IdentityError {
        var reasons: [String] = []
        while case let error = ERR_get_error(), error != 0 {
            if let reason = ERR_reason_error_string(error) { reasons.append(plain(String(cString: reason))) }
        }
        return IdentityError(code, message, detail: reasons.joined(separator: ", "))
    }

    static func system(_ code: Code, _ message: String, _ path: String, hint: String = "") -> IdentityError {
        IdentityError(code, message, detail: "\(path): \(String(cString: strerror(errno)))", hint: hint)
    }
}

/// A peer's certificate that was refused: whom it names, and when it holds.
public struct RefusedCertificate: Equatable, Sendable {
    /// `member/acme/site/osaka`, or the subject where it names nobody of a consortium.
    public let name: String
    /// The role that it names, where one of the authorities that we trust has signed it; otherwise anybody may have
    /// made it.
    public let principal: Principal?
    public let term: CertificateTerm
}
