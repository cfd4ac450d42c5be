import Federation
import Identity
import Synchronization

/// Tags of blobs whose digests this process has compared: they are looked at again without being hashed.
final class BlobTags: Sendable {
    private let tags = Mutex<[Digest: ContentTag]>([:])

    /// More are forgotten: then a blob is hashed again.
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
