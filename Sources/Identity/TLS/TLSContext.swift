import COpenSSL
import Federation

/// One side's configuration of TLS connections: chain, key and trusted authorities. Only TLS 1.3, always mutual.
public final class TLSContext: @unchecked Sendable {
    // Unchecked: an SSL_CTX is not changed after its creation, and OpenSSL counts its references atomically.
    let pointer: OpaquePointer
    public let roots: TrustRoots
    public let certificate: Certificate
    public let side: Side

    public enum Side: Sendable { case client, server }

    /// AES-GCM first, because processors have instructions for it.
    private static let ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

    /// Makes the configuration of one side.
    ///
    /// - Parameters:
    ///   - side: Whether this side opens connections or accepts them.
    ///   - chain: This side's certificates, leaf first.
    ///   - key: The leaf certificate's private key.
    ///   - roots: The CAs and revocation lists that the peer's certificate is verified with.
    /// - Throws: `IdentityError` if the chain is empty, or the key does not belong to the leaf certificate or cannot be
    ///   used for TLS.
    public init(_ side: Side, chain: [Certificate], key: PrivateKey, roots: TrustRoots) throws {
        guard let leaf = chain.first,
            let context = SSL_CTX_new(side == .client ? TLS_client_method() : TLS_server_method())
        else { throw IdentityError.openSSL(.failed, "cannot make a TLS context") }
        pointer = context
        self.roots = roots
        self.certificate = leaf
        self.side = side
        guard kumiai_ssl_ctx_set_min_proto_version(context, kumiai_tls1_3_version()) == 1,
            SSL_CTX_set_ciphersuites(context, Self.ciphers) == 1,
            SSL_CTX_use_certificate(context, leaf.pointer) == 1,
            SSL_CTX_use_PrivateKey(context, key.pointer) == 1,
            SSL_CTX_check_private_key(context) == 1
        else {
            throw IdentityError.openSSL(
                .malformed,
                "the key does not belong to the certificate, or cannot be used for TLS",
                hint: "name the key that the certificate was requested with; or request one: kumiai pki request"
            )
        }
        for certificate in chain.dropFirst() { _ = kumiai_ssl_ctx_add_chain_certificate(context, certificate.pointer) }
        SSL_CTX_set_cert_store(context, roots.makeStore())
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        SSL_CTX_set_verify_depth(context, 4)
        // Key purposes are checked with the identity (``Certificate/principal()``), because a participant's certificate
        // is valid for both sides.
        SSL_CTX_set_purpose(context, X509_PURPOSE_ANY)
        kumiai_ssl_ctx_set_options(context)
        // Sessions are not resumed, so that certificates are checked on every connection.
        SSL_CTX_set_num_tickets(context, 0)
        // Read-ahead would not help: the input is already in memory.
        _ = kumiai_ssl_ctx_set_mode(context, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS))
    }

    deinit { SSL_CTX_free(pointer) }
}
