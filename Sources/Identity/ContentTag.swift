import COpenSSL
import Synchronization

/// A message authentication code of bytes that this process has seen. The same bytes always have the same tag, and only
/// this process can create one.
///
/// AES-128-GMAC (NIST SP 800-38D) with a key that exists only in this process. It is several times as fast as SHA-256,
/// so the process that has verified a digest can check the bytes again without hashing them.
public struct ContentTag: Equatable, Sendable {
    fileprivate let nonce: [UInt8]
    fileprivate let value: [UInt8]
}

/// Computes a ``ContentTag``. Used by one thread at a time.
public final class ContentTagger {
    private let context: OpaquePointer
    private let nonce: [UInt8]

    private static let key: [UInt8] = {
        var key = [UInt8](repeating: 0, count: 16)
        precondition(RAND_bytes(&key, Int32(key.count)) == 1, "OpenSSL has no random numbers")
        return key
    }()
    /// The number of tags so far, from which each tag gets its own nonce.
    private static let count = Atomic<UInt64>(0)

    /// Starts a new tag, with a nonce that no other tag of this process has.
    public convenience init() {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        self.init(nonce: [0, 0, 0, 0] + withUnsafeBytes(of: number.bigEndian, Array.init))
    }

    /// Prepares to compare bytes with an existing tag.
    ///
    /// - Parameter tag: The tag that the same bytes must give: its nonce is used again.
    public convenience init(again tag: ContentTag) { self.init(nonce: tag.nonce) }

    private init(nonce: [UInt8]) {
        self.nonce = nonce
        context = EVP_CIPHER_CTX_new()
        precondition(
            EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, Self.key, nonce) == 1,
            "OpenSSL has no AES-128-GCM"
        )
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Adds bytes after those that were added before.
    ///
    /// - Parameter bytes: The next bytes; how they are split between calls does not change the tag.
    public func update(_ bytes: UnsafeRawBufferPointer) {
        var done = 0
        while done < bytes.count {
            let part = min(bytes.count - done, 1 << 30)
            var length: Int32 = 0
            let start = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + done
            precondition(EVP_EncryptUpdate(context, nil, &length, start, Int32(part)) == 1)
            done += part
        }
    }

    /// Returns the tag; the object must not be used afterwards.
    public func finish() -> ContentTag {
        var length: Int32 = 0
        var value = [UInt8](repeating: 0, count: 16)
        precondition(EVP_EncryptFinal_ex(context, nil, &length) == 1)
        precondition(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(value.count), &value) == 1)
        return ContentTag(nonce: nonce, value: value)
    }
}
