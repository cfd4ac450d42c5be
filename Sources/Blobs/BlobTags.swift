import Federation
import Identity
import Synchronization

/// Tags of blobs whose hashes this process has verified. A tag allows a blob to be checked again without hashing it.
final class BlobTags: Sendable {
    private let tags = Mutex<[Digest: ContentTag]>([:])

    /// The largest number of tags. When it is exceeded, all are discarded and blobs are hashed again.
    private static let most = 16_384

    subscript(digest: Digest) -> ContentTag? {
        get { tags.withLock { $0[digest] } }
        set {
            tags.withLock { tags in
                if newValue != nil, tags.count >= Self.most { tags = [:] }
                tags[digest] = newValue
            }
        }
    }
}
