import COpenSSL

/// A PKCS #10 certificate signing request: a site gets a certificate without its key ever leaving the site.
///
/// Only the public key is used: the CA decides on the identity.
public struct CertificateRequest: Sendable {
    public let publicKey: PublicKey

    /// Creates a request for `key` in PEM, to be sent to the CA.
    ///
    /// - Parameters:
    ///   - key: The private key, which signs the request and is not part of it.
    ///   - commonName: The subject's common name; cut to 64 characters. The CA does not use it.
    /// - Returns: The request in PEM.
    /// - Throws: `IdentityError` if the request cannot be created.
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

    /// Parses a request and checks that its sender has the private key.
    ///
    /// - Parameter pem: The file's contents; everything after the first request is ignored.
    /// - Throws: `IdentityError` if the request is malformed, not signed by its own key, or its key is not ECDSA P-256.
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
