import COpenSSL
import Synchronization

/// A tag over bytes that this process has seen: the same bytes later have the same tag, and nobody else can make one.
///
/// AES-128-GMAC (NIST SP 800-38D) under a key that lives in this process alone. Several times as fast as SHA-256, so
/// that bytes whose digest was compared once need not be hashed again by the process that did it.
public struct ContentTag: Equatable, Sendable {
    fileprivate let nonce: [UInt8]
    fileprivate let value: [UInt8]
}

/// Computes a ``ContentTag``. One thread at a time.
public final class ContentTagger {
    private let context: OpaquePointer
    private let nonce: [UInt8]

    private static let key: [UInt8] = {
        var key = [UInt8](repeating: 0, count: 16)
        precondition(RAND_bytes(&key, Int32(key.count)) == 1, "OpenSSL has no random numbers")
        return key
    }()
    /// Each tag has a nonce of its own.
    private static let count = Atomic<UInt64>(0)

    public convenience init() {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        self.init(nonce: [0, 0, 0, 0] + withUnsafeBytes(of: number.bigEndian, Array.init))
    }

    /// To compare the same bytes with a tag.
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

    /// Ends the computation; the object is of no use afterwards.
    public func finish() -> ContentTag {
        var length: Int32 = 0
        var value = [UInt8](repeating: 0, count: 16)
        precondition(EVP_EncryptFinal_ex(context, nil, &length) == 1)
        precondition(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(value.count), &value) == 1)
        return ContentTag(nonce: nonce, value: value)
    }
}
