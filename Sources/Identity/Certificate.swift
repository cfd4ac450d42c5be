import COpenSSL
import Federation

/// An X.509 certificate.
public final class Certificate: @unchecked Sendable {
    // Unchecked: an X509 is not changed after parsing, and OpenSSL locks its internal caches.
    let pointer: OpaquePointer

    /// The largest certificate to accept from outside, in bytes.
    public static let maximumBytes = 16 * 1024

    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_free(pointer) }

    /// Parses one certificate in DER.
    ///
    /// - Parameter der: The certificate, with nothing after it; at most ``maximumBytes`` bytes.
    /// - Throws: `IdentityError` if the bytes are too many or not exactly one certificate.
    public convenience init(der: [UInt8]) throws {
        guard der.count <= Self.maximumBytes else {
            throw IdentityError(
                .malformed,
                "certificate too large",
                detail: "\(der.count) bytes; expected at most \(Self.maximumBytes)"
            )
        }
        let parsed = der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var cursor = buffer.baseAddress
            guard let certificate = d2i_X509(nil, &cursor, buffer.count) else { return nil }
            guard cursor == buffer.baseAddress! + buffer.count else {
                X509_free(certificate)
                return nil
            }
            return certificate
        }
        guard let parsed else { throw IdentityError.openSSL(.malformed, "not a DER certificate") }
        self.init(owning: parsed)
    }

    /// Parses the first certificate of a PEM file.
    ///
    /// - Parameter pem: The file's contents; everything after the first certificate is ignored.
    /// - Throws: `IdentityError` if there is no certificate or it is malformed.
    public convenience init(pem: [UInt8]) throws {
        guard let first = try Self.chain(pem: pem).first else {
            throw IdentityError(.malformed, "no PEM certificate found")
        }
        EVP_up(first)
        self.init(owning: first.pointer)
    }

    /// Parses all certificates of a PEM file, leaf first, at most eight.
    ///
    /// - Parameter pem: The file's contents; certificates after the eighth, or after a malformed one, are ignored.
    /// - Returns: The certificates in the order of the file, at least one.
    /// - Throws: `IdentityError` if there is no certificate, or the first one is malformed.
    public static func chain(pem: [UInt8]) throws -> [Certificate] {
        let bio = try MemoryBIO(pem)
        var chain: [Certificate] = []
        while chain.count < 8, let next = PEM_read_bio_X509(bio.pointer, nil, nil, nil) {
            chain.append(Certificate(owning: next))
        }
        ERR_clear_error()
        guard !chain.isEmpty else { throw IdentityError(.malformed, "no PEM certificate found") }
        return chain
    }

    public var der: [UInt8] {
        let length = Int(i2d_X509(pointer, nil))
        var bytes = [UInt8](repeating: 0, count: max(0, length))
        bytes.withUnsafeMutableBufferPointer { buffer in
            var cursor = buffer.baseAddress
            i2d_X509(pointer, &cursor)
        }
        return bytes
    }

    /// Returns the certificate in PEM.
    ///
    /// - Throws: `IdentityError` if the certificate cannot be encoded.
    public func pem() throws -> [UInt8] {
        let bio = try MemoryBIO()
        guard PEM_write_bio_X509(bio.pointer, pointer) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot write the certificate")
        }
        return bio.bytes
    }

    /// The SHA-256 of the certificate in DER.
    public var digest: Digest { Digest(of: der) }

    public var publicKey: PublicKey {
        get throws {
            guard let key = X509_get_pubkey(pointer) else {
                throw IdentityError.openSSL(.malformed, "the certificate's key cannot be used")
            }
            return PublicKey(owning: key)
        }
    }

    public var notBefore: Timestamp { Self.time(X509_get0_notBefore(pointer)) }
    public var notAfter: Timestamp { Self.time(X509_get0_notAfter(pointer)) }

    public var term: ValidityPeriod { ValidityPeriod(notBefore: notBefore, notAfter: notAfter) }

    /// The serial number in hexadecimal digits.
    public var serial: String {
        guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(pointer), nil) else { return "" }
        defer { BN_free(number) }
        guard let text = BN_bn2hex(number) else { return "" }
        defer { kumiai_openssl_free(text) }
        return String(cString: text).lowercased()
    }

    /// Whether the key of `authority` signed this certificate. Names, dates and revocations are not checked.
    ///
    /// - Parameter authority: The certificate of the possible issuer.
    public func isSigned(by authority: Certificate) -> Bool {
        defer { ERR_clear_error() }
        return X509_verify(pointer, X509_get0_pubkey(authority.pointer)) == 1
    }

    /// The subject on one line, for display: `O = Kumiai, CN = ...`.
    public var subject: String { Self.text(X509_get_subject_name(pointer)) }
    public var issuer: String { Self.text(X509_get_issuer_name(pointer)) }
    public var isAuthority: Bool { X509_check_ca(pointer) == 1 }

    /// The URIs in the subject alternative name, unchanged.
    public var uris: [String] {
        guard let raw = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) else { return [] }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        return (0..<kumiai_general_name_count(names)).compactMap { index in
            guard let name = kumiai_general_name_at(names, index), kumiai_general_name_type(name) == GEN_URI,
                let uri = kumiai_general_name_uri(name)
            else { return nil }
            // Do not read it as a C string: an embedded NUL must not hide what follows it.
            let bytes = UnsafeBufferPointer(start: ASN1_STRING_get0_data(uri), count: Int(ASN1_STRING_length(uri)))
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Returns the principal that the certificate identifies.
    ///
    /// - Throws: `IdentityError` if it is not an X.509-SVID leaf: not exactly one URI, a CA, or wrong key usages.
    public func principal() throws -> Principal {
        let uris = uris
        guard uris.count == 1 else {
            let what = uris.isEmpty ? "none" : "\(uris.count)"
            throw IdentityError(
                .wrongIdentity,
                "a certificate must have exactly one URI",
                detail: "\(what) in \(subject)"
            )
        }
        guard !isAuthority else {
            throw IdentityError(.wrongIdentity, "a CA certificate cannot authenticate a peer", detail: subject)
        }
        let usage = X509_get_key_usage(pointer)
        guard usage != UInt32.max, usage & UInt32(KU_DIGITAL_SIGNATURE) != 0,
            usage & UInt32(KU_KEY_CERT_SIGN | KU_CRL_SIGN) == 0
        else {
            throw IdentityError(
                .wrongIdentity,
                "the key usage must include digitalSignature and not certificate signing",
                detail: subject
            )
        }
        let extended = X509_get_extended_key_usage(pointer)
        guard extended != UInt32.max, extended & UInt32(XKU_SSL_SERVER) != 0, extended & UInt32(XKU_SSL_CLIENT) != 0
        else {
            throw IdentityError(
                .wrongIdentity,
                "the extended key usage must be serverAuth and clientAuth",
                detail: subject
            )
        }
        return try SPIFFE.principal(uris[0])
    }

    /// Whether `key` belongs to this certificate.
    ///
    /// - Parameter key: The private key to compare with the public key in the certificate.
    /// - Throws: `IdentityError` if the certificate's key cannot be read.
    public func matches(_ key: PrivateKey) throws -> Bool { try publicKey.isSame(as: key.publicKey) }

    static func time(_ time: UnsafePointer<ASN1_TIME>?) -> Timestamp {
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard let epoch = ASN1_TIME_set(nil, 0) else { return Timestamp(milliseconds: 0) }
        defer { ASN1_TIME_free(epoch) }
        guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1, days >= 0 else { return Timestamp(milliseconds: 0) }
        return Timestamp(milliseconds: (UInt64(days) * 86_400 + UInt64(max(0, seconds))) * 1000)
    }

    static func text(_ name: OpaquePointer?) -> String {
        guard let bio = try? MemoryBIO() else { return "" }
        X509_NAME_print_ex(bio.pointer, name, 0, kumiai_xn_flag_oneline())
        return String(decoding: bio.bytes, as: UTF8.self)
    }
}

private func EVP_up(_ certificate: Certificate) { X509_up_ref(certificate.pointer) }
