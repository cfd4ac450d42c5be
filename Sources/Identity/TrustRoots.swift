import COpenSSL
import Federation

/// The certificate authorities of a consortium.
public struct TrustRoots: Sendable {
    public let authorities: [Certificate]

    public init(_ authorities: [Certificate]) { self.authorities = authorities }
    public init(pem: [UInt8]) throws { authorities = try Certificate.chain(pem: pem) }

    /// Checks the chain and the validity of `leaf` at `time`; gives back whom it speaks for.
    public func verify(_ leaf: Certificate, intermediates: [Certificate] = [], at time: Timestamp) throws -> Principal {
        guard let store = makeStore(), let context = X509_STORE_CTX_new() else {
            throw IdentityError.openSSL(.failed, "cannot allocate a certificate store")
        }
        let untrusted = kumiai_x509_stack()
        defer {
            X509_STORE_CTX_free(context)
            X509_STORE_free(store)
            kumiai_x509_stack_free(untrusted)
        }
        for certificate in intermediates { _ = kumiai_x509_push(untrusted, certificate.pointer) }
        guard X509_STORE_CTX_init(context, store, leaf.pointer, untrusted) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot check a certificate")
        }
        X509_STORE_CTX_set_time(context, 0, Int(time.milliseconds / 1000))
        guard X509_verify_cert(context) == 1 else {
            throw Self.error(X509_STORE_CTX_get_error(context), leaf)
        }
        return try leaf.principal()
    }

    func makeStore() -> OpaquePointer? {
        guard let store = X509_STORE_new() else { return nil }
        for authority in authorities { X509_STORE_add_cert(store, authority.pointer) }
        return store
    }

    static func error(_ result: Int32, _ leaf: Certificate) -> IdentityError {
        let reason = String(cString: X509_verify_cert_error_string(Int(result)))
        let detail = "\(reason) (\(leaf.subject))"
        return switch result {
        case X509_V_ERR_CERT_HAS_EXPIRED: IdentityError(.expired, "the certificate has expired", detail: detail)
        case X509_V_ERR_CERT_NOT_YET_VALID: IdentityError(.notYetValid, "the certificate is not valid yet", detail: detail)
        default: IdentityError(.notTrusted, "the certificate is not trusted", detail: detail)
        }
    }
}
