import COpenSSL
import Federation
import Glibc

/// Why the peer refused our certificate, from its TLS alert (RFC 8446, section 6.2).
enum PeerAlert {
    case expired, revoked, notAccepted, unknownAuthority

    /// - Parameter reason: OpenSSL's reason code. The result is `nil` if it is not an alert about a certificate.
    init?(reason: Int32) {
        switch reason {
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: self = .expired
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED: self = .revoked
        // A certificate that is not valid yet also gets this alert.
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN: self = .notAccepted
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA: self = .unknownAuthority
        default: return nil
        }
    }

    /// - Parameters:
    ///   - certificate: Our certificate, which was refused.
    ///   - detail: OpenSSL's name of the alert.
    ///   - now: The current time.
    func error(about certificate: Certificate, detail: String, at now: Timestamp) -> IdentityError {
        let term = certificate.term
        let dates =
            """
            our certificate is valid from \(term.notBefore.text) to \(term.notAfter.text), and this machine's clock \
            says \(now.text)
            """
        return IdentityError(.handshake, message, detail: "\(detail); \(dates)", hint: hint(term, at: now))
    }

    private var message: String {
        switch self {
        case .expired: "the other side says that our certificate has expired"
        case .revoked: "the other side says that our certificate was revoked"
        case .notAccepted: "the other side does not accept our certificate"
        case .unknownAuthority: "the other side does not know the CA of our certificate"
        }
    }

    private func hint(_ term: ValidityPeriod, at now: Timestamp) -> String {
        switch (self, term.standing(at: now)) {
        case (.unknownAuthority, _):
            return "was the certificate issued by the CA of this consortium? kumiai pki show shows its issuer"
        case (.revoked, _):
            return "ask the consortium why; to take part again, a new key and a new certificate are needed"
        case (_, .ended): return "renew it: kumiai pki renew"
        case (_, .notYetValid): return "set this machine's clock: it is behind, or the CA's was ahead"
        case (.expired, _), (.notAccepted, _):
            return """
                it is valid by the clock here: compare the clocks of both machines; the other side's log names the \
                reason, such as a CA or a revocation list that has expired
                """
        }
    }
}

extension Timestamp {
    /// The time of the system's clock, which OpenSSL also uses to check certificates.
    static var ofThisMachine: Timestamp {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Timestamp(milliseconds: UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000)
    }
}
