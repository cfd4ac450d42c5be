import Blobs
import Federation

/// Removes blobs that no entry of the ledger needs: updates that were refused or never submitted, uploads given up.
///
/// At the end of a round it notes what nobody needs; what is still not needed, and has not grown, at the end of the next
/// one goes. So nothing disappears between its upload and its submission.
package struct BlobSweeper: Sendable {
    private let blobs: BlobStore
    private var unneeded: Set<Digest> = []
    private var unfinished: [Digest: UInt64] = [:]

    package init(_ blobs: BlobStore) { self.blobs = blobs }

    /// Gives back what was removed.
    package mutating func sweep(needed: Set<Digest>) throws -> [Digest] {
        let candidates = Set(try blobs.all()).subtracting(needed)
        let partial = Dictionary(uniqueKeysWithValues: blobs.unfinished().map { ($0, blobs.unfinishedByteCount($0)) })
        let stale = candidates.intersection(unneeded).sorted()
        let abandoned = partial.keys.filter { unfinished[$0] == partial[$0] }.sorted()
        for digest in stale { blobs.remove(digest) }
        for digest in abandoned { blobs.removeUnfinished(digest) }
        unneeded = candidates.subtracting(stale)
        unfinished = partial.filter { !abandoned.contains($0.key) }
        return stale + abandoned
    }
}
