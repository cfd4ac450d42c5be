import COpenSSL
import Federation

/// The certificate authorities of a consortium, and their revocation lists.
public struct TrustRoots: Sendable {
    public let authorities: [Certificate]
    /// If there are any, every certificate must be covered by a list, and no certificate is accepted after its list has
    /// expired.
    public let revocations: [RevocationList]

    /// Makes the roots of certificates that the caller trusts; nothing is verified.
    ///
    /// - Parameters:
    ///   - authorities: The consortium's CAs.
    ///   - revocations: The revocation lists of the CAs; if empty, revocation is not checked.
    public init(_ authorities: [Certificate], revocations: [RevocationList] = []) {
        self.authorities = authorities
        self.revocations = revocations
    }

    /// Returns the roots without the authorities with these digests.
    ///
    /// - Parameter ended: The SHA-256 digests of the certificates of CAs that are no longer trusted.
    /// - Returns: Roots with the same revocation lists.
    public func without(_ ended: Set<Digest>) -> TrustRoots {
        ended.isEmpty ? self : TrustRoots(authorities.filter { !ended.contains($0.digest) }, revocations: revocations)
    }

    /// Checks that no CA's revocation list is missing or older than in `former`, which could reinstate a revoked
    /// certificate.
    ///
    /// Lists are backdated, by different amounts depending on the program that created them. A list that revokes
    /// everything that the former one does is therefore accepted even if its date is older.
    ///
    /// - Parameter former: The roots that are in use.
    /// - Throws: `IdentityError` if a list is missing or older.
    public func requireNoOlderRevocations(than former: TrustRoots) throws {
        for list in former.revocations {
            let ours = revocations.filter { $0.issuer == list.issuer }
            guard ours.contains(where: { $0.term.notBefore >= list.term.notBefore || $0.covers(list) }) else {
                throw IdentityError(
                    .revocationList,
                    "the list of revoked certificates is older than the one in use, from \(list.term.notBefore.text)",
                    detail: list.issuer,
                    hint: "take the newest crl.pem that kumiai pki revoke wrote"
                )
            }
        }
    }

    /// Parses CAs in PEM, without revocation lists.
    ///
    /// - Parameter pem: The file's contents, with up to eight certificates.
    /// - Throws: `IdentityError` if there is no certificate, or the first one is malformed.
    public init(pem: [UInt8]) throws { self.init(try Certificate.chain(pem: pem)) }

    /// Verifies the chain and validity of `leaf` at `time`.
    ///
    /// - Parameters:
    ///   - leaf: The participant's certificate.
    ///   - intermediates: Certificates that may lead from the leaf to an authority; they are not trusted.
    ///   - time: The time at which the certificates must be valid.
    /// - Returns: The principal that the certificate identifies.
    /// - Throws: `IdentityError` if the certificate is not valid, not trusted or revoked, or names no principal.
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
        guard X509_verify_cert(context) == 1 else { throw error(VerificationFailure(context), at: time) }
        return try leaf.principal()
    }

    /// Verifies a chain, leaf first, that was read from the file at `path`; errors name the file.
    ///
    /// - Parameters:
    ///   - chain: The certificates, leaf first, at least one.
    ///   - path: The path of the file, for errors; it is not read.
    ///   - time: The time at which the certificates must be valid.
    /// - Returns: The principal that the leaf certificate identifies.
    /// - Throws: `IdentityError` if the certificate is not valid, not trusted or revoked, or names no principal.
    public func verify(_ chain: [Certificate], in path: String, at time: Timestamp) throws -> Principal {
        do {
            return try verify(chain[0], intermediates: Array(chain.dropFirst()), at: time)
        } catch let error as IdentityError {
            throw error.inFile(path)
        }
    }

    /// Whether a revocation list has expired: no certificate is accepted until a newer list is installed.
    ///
    /// - Parameter time: The current time.
    public func hasEndedRevocations(at time: Timestamp) -> Bool { revocations.contains { $0.term.notAfter < time } }

    func makeStore() -> OpaquePointer? {
        guard let store = X509_STORE_new() else { return nil }
        for authority in authorities { X509_STORE_add_cert(store, authority.pointer) }
        for list in revocations { X509_STORE_add_crl(store, list.pointer) }
        if !revocations.isEmpty { X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK)) }
        return store
    }

    /// Returns the validity periods of the authorities that signed `leaf`, and of the revocation lists.
    ///
    /// - Parameter leaf: The certificate whose authorities are listed.
    /// - Returns: A notice for each, whether it ends soon or not.
    public func notices(of leaf: Certificate) -> [ExpiryNotice] {
        authorities.filter { leaf.isSigned(by: $0) }.map {
            ExpiryNotice("the CA \($0.subject)", $0.term, remedy: ExpiryNotice.rotate)
        }
            + revocations.map {
                ExpiryNotice("the revocation list of \($0.issuer)", $0.term, remedy: ExpiryNotice.listAnew)
            }
    }
}
