import COpenSSL
import Glibc

/// A private key: ECDSA P-256 for participants, Ed25519 for the ledger's tree heads.
public final class PrivateKey: @unchecked Sendable {
    // Unchecked: an EVP_PKEY is not changed after its creation, and OpenSSL counts its references atomically.
    let pointer: OpaquePointer

    public enum Kind: Sendable { case p256, ed25519 }

    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { EVP_PKEY_free(pointer) }

    /// Creates a new key from OpenSSL's random numbers.
    ///
    /// - Parameter kind: ECDSA P-256 for certificates, Ed25519 for a log key.
    /// - Throws: `IdentityError` if OpenSSL cannot create the key.
    public static func generate(_ kind: Kind = .p256) throws -> PrivateKey {
        let key: OpaquePointer? =
            switch kind {
            case .p256: kumiai_evp_p256_gen()
            case .ed25519: generateEd25519()
            }
        guard let key else { throw IdentityError.openSSL(.failed, "cannot make a key") }
        return PrivateKey(owning: key)
    }

    private static func generateEd25519() -> OpaquePointer? {
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_keygen(context, &key) == 1 else { return nil }
        return key
    }

    /// Parses an unencrypted PKCS #8 or EC key in PEM.
    ///
    /// - Parameter pem: The file's contents; everything after the first key is ignored.
    /// - Throws: `IdentityError` if the key is encrypted or malformed.
    public init(pem: [UInt8]) throws {
        let bio = try MemoryBIO(pem)
        guard let key = PEM_read_bio_PrivateKey(bio.pointer, nil, refusePassphrase, nil) else {
            throw IdentityError.openSSL(.malformed, "not an unencrypted PEM private key")
        }
        pointer = key
    }

    /// Returns the key as unencrypted PKCS #8 PEM; write it with mode 0600.
    ///
    /// - Throws: `IdentityError` if the key cannot be encoded.
    public func pem() throws -> [UInt8] {
        let bio = try MemoryBIO()
        guard PEM_write_bio_PKCS8PrivateKey(bio.pointer, pointer, nil, nil, 0, nil, nil) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot write the key")
        }
        return bio.bytes
    }

    public var publicKey: PublicKey {
        EVP_PKEY_up_ref(pointer)
        return PublicKey(owning: pointer)
    }

    var isEd25519: Bool { EVP_PKEY_get_id(pointer) == EVP_PKEY_ED25519 }

    /// Signs `message`.
    ///
    /// - Parameter message: The bytes to sign, not their hash.
    /// - Returns: DER ECDSA over its SHA-256, or a raw Ed25519 signature of 64 bytes.
    /// - Throws: `IdentityError` if signing fails.
    public func sign(_ message: [UInt8]) throws -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var length = 0
        guard EVP_DigestSignInit(context, nil, isEd25519 ? nil : EVP_sha256(), nil, pointer) == 1,
            EVP_DigestSign(context, nil, &length, message, message.count) == 1
        else { throw IdentityError.openSSL(.failed, "cannot sign") }
        var signature = [UInt8](repeating: 0, count: length)
        guard EVP_DigestSign(context, &signature, &length, message, message.count) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot sign")
        }
        return Array(signature.prefix(length))
    }
}

/// The public half of a key.
public final class PublicKey: @unchecked Sendable {
    // Unchecked for the same reason as PrivateKey.
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { EVP_PKEY_free(pointer) }

    /// Creates a key from the 32 bytes of a raw Ed25519 public key.
    ///
    /// - Parameter bytes: The key of 32 bytes (RFC 8032, section 5.1.5).
    /// - Throws: `IdentityError` if the bytes are not such a key.
    public init(ed25519 bytes: [UInt8]) throws {
        guard bytes.count == 32, let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count) else {
            throw IdentityError.openSSL(.malformed, "not an Ed25519 public key of 32 bytes")
        }
        pointer = key
    }

    /// Returns the raw bytes of an Ed25519 key.
    ///
    /// - Throws: `IdentityError` if it is another kind of key.
    public func ed25519Bytes() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        var length = bytes.count
        guard EVP_PKEY_get_raw_public_key(pointer, &bytes, &length) == 1, length == 32 else {
            throw IdentityError.openSSL(.failed, "not an Ed25519 key")
        }
        return bytes
    }

    /// Whether a signature is valid under this key.
    ///
    /// - Parameters:
    ///   - signature: DER ECDSA over the SHA-256 of the message, or a raw Ed25519 signature of 64 bytes, according to
    ///     the kind of key.
    ///   - message: The bytes that were signed, not their hash.
    public func isValid(_ signature: [UInt8], for message: [UInt8]) -> Bool {
        let context = EVP_MD_CTX_new()
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        let hash = EVP_PKEY_get_id(pointer) == EVP_PKEY_ED25519 ? nil : EVP_sha256()
        return EVP_DigestVerifyInit(context, nil, hash, nil, pointer) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    /// Whether it is an ECDSA key on the curve P-256.
    public var isP256: Bool {
        var name = [CChar](repeating: 0, count: 64)
        var length = 0
        guard EVP_PKEY_get_id(pointer) == EVP_PKEY_EC, EVP_PKEY_get_group_name(pointer, &name, name.count, &length) == 1
        else { return false }
        return strcmp(name, "prime256v1") == 0
    }

    /// Returns the SubjectPublicKeyInfo in PEM.
    ///
    /// - Throws: `IdentityError` if the key cannot be encoded.
    public func pem() throws -> [UInt8] {
        let bio = try MemoryBIO()
        guard PEM_write_bio_PUBKEY(bio.pointer, pointer) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot write the public key")
        }
        return bio.bytes
    }

    func isSame(as other: PublicKey) -> Bool { EVP_PKEY_eq(pointer, other.pointer) == 1 }
}

extension PublicKey: Equatable {
    /// Whether two keys are the same key, of the same kind.
    ///
    /// - Parameters:
    ///   - a: A key.
    ///   - b: The key to compare it with.
    public static func == (a: PublicKey, b: PublicKey) -> Bool { a.isSame(as: b) }
}

/// Makes an encrypted key fail, instead of prompting for a passphrase on a daemon's terminal.
private let refusePassphrase:
    @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
        _,
        _,
        _,
        _ in -1
    }

/// An in-memory OpenSSL BIO.
final class MemoryBIO {
    let pointer: OpaquePointer

    init(_ bytes: [UInt8] = []) throws {
        guard let bio = BIO_new(BIO_s_mem()) else { throw IdentityError.openSSL(.failed, "cannot allocate a BIO") }
        pointer = bio
        if !bytes.isEmpty { BIO_write(bio, bytes, Int32(clamping: bytes.count)) }
    }

    deinit { BIO_free(pointer) }

    var bytes: [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = BIO_read(pointer, &buffer, 4096), count > 0 { result += buffer.prefix(Int(count)) }
        return result
    }
}
