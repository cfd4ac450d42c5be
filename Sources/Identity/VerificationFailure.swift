import COpenSSL
import Federation

/// Why OpenSSL refused a chain, and which certificate caused it.
struct VerificationFailure {
    let code: Int32
    /// The position in the chain; 0 is the leaf.
    let depth: Int32
    /// The certificate that is not valid.
    let culprit: Certificate?
    /// The chain's leaf certificate.
    let leaf: Certificate?

    /// Reads the result of a verification that has failed or is about to fail.
    init(_ context: OpaquePointer) {
        code = X509_STORE_CTX_get_error(context)
        depth = X509_STORE_CTX_get_error_depth(context)
        culprit = Self.kept(X509_STORE_CTX_get_current_cert(context))
        leaf = Self.kept(X509_STORE_CTX_get0_cert(context))
    }

    private static func kept(_ pointer: OpaquePointer?) -> Certificate? {
        guard let pointer else { return nil }
        X509_up_ref(pointer)
        return Certificate(owning: pointer)
    }

    var reason: String { String(cString: X509_verify_cert_error_string(Int(code))) }
}

extension TrustRoots {
    /// Describes the failure: whose certificate, its validity period, and the time on this machine's clock.
    func error(_ failure: VerificationFailure, at now: Timestamp) -> IdentityError {
        let refused = failure.leaf.map(refusal)
        let name = refused?.name ?? "a peer"
        func error(_ code: IdentityError.Code, _ message: String, _ detail: String, _ hint: String) -> IdentityError {
            IdentityError(code, message, detail: "\(detail) (\(failure.reason))", hint: hint, refused: refused)
        }
        switch failure.code {
        case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID:
            guard let culprit = failure.culprit else { break }
            let when = term(isEarly(failure, now) ? failure.leaf!.term : culprit.term, at: now)
            if failure.depth > 0, !isEarly(failure, now) {
                return error(
                    .authorityEnded,
                    "the certificate authority is not valid now",
                    "\(culprit.subject), which issued \(name), \(when)",
                    """
                    compare the clock with the dates; an expired CA must be replaced, and every certificate \
                    issued again
                    """
                )
            }
            return failure.code == X509_V_ERR_CERT_HAS_EXPIRED
                ? error(
                    .expired,
                    "the certificate has expired",
                    "\(name) \(when)",
                    "renew it: kumiai pki renew; or is this machine's clock ahead?"
                )
                : error(
                    .notYetValid,
                    "the certificate is not valid yet",
                    "\(name) \(when)",
                    "set the clock: this machine's is behind, or the CA's was ahead"
                )
        case X509_V_ERR_CERT_REVOKED:
            return error(
                .revoked,
                "the certificate was revoked",
                name,
                "to take part again, its holder needs a new key and a new certificate"
            )
        case X509_V_ERR_UNABLE_TO_GET_CRL:
            let issuer = failure.culprit?.issuer ?? "its CA"
            return error(
                .revocationList,
                """
                there is no list of revoked certificates of the CA that issued \(name), and without it no certificate \
                of that CA is accepted
                """,
                issuer,
                """
                each CA needs its own list: kumiai pki revoke --ca, and append what it writes to the file that crl \
                names
                """
            )
        case X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID, X509_V_ERR_CRL_SIGNATURE_FAILURE:
            let lists = revocations.map { "that of \($0.issuer) \(term($0.term, at: now))" }.joined(separator: ", ")
            return error(
                .revocationList,
                "the list of revoked certificates is not valid, and without it no certificate is accepted",
                "\(lists); \(name)",
                "create a new list with kumiai pki revoke --ca, and replace the old one"
            )
        default: break
        }
        return error(.notTrusted, "the certificate is not trusted", name, "")
    }

    /// Whether the clock is before the leaf's start as well: then the clock is the likely cause, not the authority.
    private func isEarly(_ failure: VerificationFailure, _ now: Timestamp) -> Bool {
        failure.code == X509_V_ERR_CERT_NOT_YET_VALID && failure.leaf?.term.standing(at: now) == .notYetValid
    }

    private func term(_ term: ValidityPeriod, at now: Timestamp) -> String {
        "is valid from \(term.notBefore.text) to \(term.notAfter.text), and the clock here says \(now.text)"
    }

    private func refusal(_ leaf: Certificate) -> RefusedCertificate {
        let named = try? leaf.principal()
        let isOurs = authorities.contains(where: leaf.isSigned)
        return RefusedCertificate(name: named?.path ?? leaf.subject, principal: isOurs ? named : nil, term: leaf.term)
    }
}
