import COpenSSL
import Federation

/// Incremental SHA-256.
public final class SHA256 {
    private let context: OpaquePointer

    /// Starts a hash, of no bytes yet.
    public init() {
        context = EVP_MD_CTX_new()
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "OpenSSL has no SHA-256")
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes after those that were added before.
    ///
    /// - Parameter bytes: The next bytes; may be empty.
    public func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        precondition(EVP_DigestUpdate(context, base, bytes.count) == 1)
    }

    /// Adds bytes after those that were added before.
    ///
    /// - Parameter bytes: The next bytes; may be empty.
    public func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Returns the digest; the object must not be used afterwards.
    public func finish() -> Digest {
        var out = [UInt8](repeating: 0, count: Digest.byteCount)
        precondition(EVP_DigestFinal_ex(context, &out, nil) == 1)
        return Digest(out)!
    }
}

extension Digest {
    /// Computes the SHA-256 of `bytes`.
    ///
    /// - Parameter bytes: The bytes to hash; may be empty.
    public init(of bytes: [UInt8]) {
        let hash = SHA256()
        hash.update(bytes)
        self = hash.finish()
    }

    /// Computes the SHA-256 of a text's UTF-8 bytes.
    ///
    /// - Parameter text: The text, which is not normalised.
    public init(of text: String) { self.init(of: Array(text.utf8)) }
}
