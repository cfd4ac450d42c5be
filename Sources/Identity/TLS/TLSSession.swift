import COpenSSL
import Federation

/// A TLS connection without a socket: ciphertext and plaintext go in and out as bytes.
///
/// Not thread-safe; it belongs to one event loop. Through a custom BIO, OpenSSL reads ciphertext directly from the
/// caller's memory and writes it into a reused buffer, so that no bytes are copied except by TLS itself.
public final class TLSSession {
    private let ssl: OpaquePointer
    private let context: TLSContext
    private let channel = CipherChannel()
    private let verification = VerificationNote()

    public enum Progress: Equatable, Sendable {
        case complete
        /// More ciphertext from the peer is needed.
        case wantsInput
    }

    public enum Reading: Equatable, Sendable {
        case bytes(Int)
        case wantsInput
        /// The peer has announced that it sends no more data (close_notify).
        case closed
    }

    /// Makes a session that has not exchanged any bytes yet.
    ///
    /// - Parameter context: The configuration, which also determines whether this side is client or server.
    /// - Throws: `IdentityError` if OpenSSL cannot create the session.
    public init(_ context: TLSContext) throws {
        guard let ssl = SSL_new(context.pointer), let bio = BIO_new(CipherChannel.method) else {
            throw IdentityError.openSSL(.failed, "cannot make a TLS session")
        }
        self.ssl = ssl
        self.context = context
        BIO_set_data(bio, Unmanaged.passUnretained(channel).toOpaque())
        BIO_set_init(bio, 1)
        SSL_set_bio(ssl, bio, bio)
        // The session's application data slot lets the callback find where to record the refused certificate.
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(verification).toOpaque())
        SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, VerificationNote.callback)
        switch context.side {
        case .client: SSL_set_connect_state(ssl)
        case .server: SSL_set_accept_state(ssl)
        }
    }

    deinit { SSL_free(ssl) }

    /// Makes ciphertext available to the calls in `body`.
    ///
    /// - Parameters:
    ///   - ciphertext: Bytes from the peer, starting with those that the last call did not consume.
    ///   - body: Calls ``handshake()`` or ``read(into:)``, which take the bytes from `ciphertext`.
    /// - Returns: The number of bytes consumed, and the result of `body`. Bytes not consumed must be lent again.
    /// - Throws: What `body` throws.
    public func lending<R>(_ ciphertext: UnsafeRawBufferPointer, _ body: () throws -> R) rethrows -> (consumed: Int, R)
    {
        channel.input = ciphertext
        channel.inputOffset = 0
        defer { channel.input = UnsafeRawBufferPointer(start: nil, count: 0) }
        let result = try body()
        return (channel.inputOffset, result)
    }

    /// Continues the handshake with the lent ciphertext; what it wants to send is then pending as output.
    ///
    /// - Returns: Whether the handshake is complete, or needs more ciphertext from the peer.
    /// - Throws: `IdentityError` if the peer's certificate is not accepted, the peer refused ours, or the handshake
    ///   failed.
    public func handshake() throws -> Progress {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 { return .complete }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wantsInput
        default: throw handshakeError()
        }
    }

    /// Decrypts into `buffer`.
    ///
    /// - Parameter buffer: The memory for the plaintext; one call fills at most one TLS record of 16 KiB.
    /// - Returns: The number of bytes of plaintext, or why there are none.
    /// - Throws: `IdentityError` if the connection failed.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Reading {
        ERR_clear_error()
        var count = 0
        if SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &count) == 1 { return .bytes(count) }
        switch SSL_get_error(ssl, 0) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wantsInput
        case SSL_ERROR_ZERO_RETURN: return .closed
        default: throw connectionError("the TLS connection broke")
        }
    }

    /// Encrypts all of `plaintext`.
    ///
    /// - Parameter plaintext: The bytes to send, after the handshake; their ciphertext is then pending as output.
    /// - Throws: `IdentityError` if the connection failed.
    public func write(_ plaintext: UnsafeRawBufferPointer) throws {
        ERR_clear_error()
        var rest = plaintext
        while !rest.isEmpty {
            var count = 0
            guard SSL_write_ex(ssl, rest.baseAddress, rest.count, &count) == 1 else {
                throw IdentityError.openSSL(.handshake, "cannot encrypt")
            }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
    }

    /// Passes the pending ciphertext for the peer to `body`, then discards it.
    ///
    /// - Parameter body: Gets all of the pending ciphertext, which is valid only during the call. It is not called if
    ///   nothing is pending.
    public func drainOutput(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard !channel.output.isEmpty else { return }
        channel.output.withUnsafeBytes(body)
        channel.output.removeAll(keepingCapacity: true)
    }

    public var outputCount: Int { channel.output.count }

    /// Frees the ciphertext buffer if it is empty, because an idle connection does not need it.
    public func releaseOutput() {
        if channel.output.isEmpty { channel.output = [] }
    }

    /// Announces to the peer that no more data will be sent.
    public func close() {
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// Updates this side's keys and asks the peer to update its own.
    ///
    /// - Throws: `IdentityError` if the keys cannot be updated.
    public func updateKeys() throws {
        guard SSL_key_update(ssl, kumiai_ssl_key_update_requested()) == 1, SSL_do_handshake(ssl) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot update the keys")
        }
    }

    /// Returns the peer's certificate, once the handshake is complete.
    ///
    /// - Throws: `IdentityError` if the peer sent no certificate.
    public func peerCertificate() throws -> Certificate {
        guard let pointer = SSL_get1_peer_certificate(ssl) else {
            throw IdentityError(.wrongIdentity, "the peer sent no certificate")
        }
        return Certificate(owning: pointer)
    }

    public var cipher: String { SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "" }

    private func handshakeError() -> IdentityError {
        guard let failure = verification.failure else { return connectionError("the TLS handshake failed") }
        ERR_clear_error()
        return context.roots.error(failure, at: .ofThisMachine)
    }

    /// Describes why the connection failed. If the peer refused our certificate, the error includes its alert and our
    /// clock's time.
    private func connectionError(_ message: String) -> IdentityError {
        let alert = PeerAlert(reason: kumiai_err_reason(ERR_peek_error()))
        let error = IdentityError.openSSL(.handshake, message)
        return alert.map { $0.error(about: context.certificate, detail: error.detail, at: .ofThisMachine) } ?? error
    }
}

/// Keeps the first certificate that a handshake did not accept, because OpenSSL discards it together with the chain.
private final class VerificationNote {
    var failure: VerificationFailure?

    static let callback: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isAccepted, context in
        guard isAccepted != 1, let context,
            let session = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()),
            let pointer = SSL_get_ex_data(OpaquePointer(session), 0)
        else { return isAccepted }
        let note = Unmanaged<VerificationNote>.fromOpaque(pointer).takeUnretainedValue()
        if note.failure == nil { note.failure = VerificationFailure(context) }
        return isAccepted
    }
}

/// The buffers from which OpenSSL reads ciphertext and to which it writes it.
private final class CipherChannel {
    var input = UnsafeRawBufferPointer(start: nil, count: 0)
    var inputOffset = 0
    var output: [UInt8] = []

    /// The BIO's methods; created once and never freed.
    nonisolated(unsafe) static let method: OpaquePointer = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kumiai")!
        BIO_meth_set_read(method) { bio, buffer, count in
            guard let bio, let buffer, let channel = CipherChannel.of(bio) else { return -1 }
            return channel.read(bio, buffer, count)
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let bio, let bytes, let channel = CipherChannel.of(bio) else { return -1 }
            channel.output.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            return count
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    private static func of(_ bio: OpaquePointer) -> CipherChannel? {
        BIO_get_data(bio).map { Unmanaged<CipherChannel>.fromOpaque($0).takeUnretainedValue() }
    }

    private func read(_ bio: OpaquePointer, _ buffer: UnsafeMutablePointer<CChar>, _ wanted: Int32) -> Int32 {
        kumiai_bio_clear_retry(bio)
        let count = min(Int(wanted), input.count - inputOffset)
        guard count > 0 else {
            kumiai_bio_set_retry_read(bio)
            return -1
        }
        UnsafeMutableRawPointer(buffer).copyMemory(from: input.baseAddress! + inputOffset, byteCount: count)
        inputOffset += count
        return Int32(count)
    }
}
