import COpenSSL

/// A PKCS #10 request: how a site gets a certificate without its key ever leaving it.
///
/// Only the public key counts: the identity is what the CA decides to issue.
public struct CertificateRequest: Sendable {
    public let publicKey: PublicKey

    /// Makes a request for `key`; its PEM is what travels to the CA.
    public static func pem(for key: PrivateKey, commonName: String) throws -> [UInt8] {
        guard let request = X509_REQ_new() else { throw IdentityError.openSSL(.failed, "cannot allocate a request") }
        defer { X509_REQ_free(request) }
        X509_REQ_set_pubkey(request, key.pointer)
        X509_NAME_add_entry_by_txt(
            X509_REQ_get_subject_name(request),
            "CN",
            MBSTRING_UTF8,
            String(commonName.prefix(64)),
            -1,
            -1,
            0
        )
        guard X509_REQ_sign(request, key.pointer, EVP_sha256()) > 0 else {
            throw IdentityError.openSSL(.failed, "cannot sign the request")
        }
        let bio = try MemoryBIO()
        guard PEM_write_bio_X509_REQ(bio.pointer, request) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot write the request")
        }
        return bio.bytes
    }

    /// Reads a request and checks that its maker has the key.
    public init(pem: [UInt8]) throws {
        let bio = try MemoryBIO(pem)
        guard let request = PEM_read_bio_X509_REQ(bio.pointer, nil, nil, nil) else {
            throw IdentityError.openSSL(.malformed, "not a PEM certificate request")
        }
        defer { X509_REQ_free(request) }
        guard let key = X509_REQ_get_pubkey(request) else {
            throw IdentityError.openSSL(.malformed, "the request has no usable key")
        }
        publicKey = PublicKey(owning: key)
        guard X509_REQ_verify(request, key) == 1 else {
            throw IdentityError.openSSL(.badSignature, "the request is not signed by its own key")
        }
        guard publicKey.isP256 else { throw IdentityError(.malformed, "the request's key is not ECDSA P-256") }
    }
}
