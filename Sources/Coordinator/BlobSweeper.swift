import Blobs
import Federation

/// Removes blobs that no entry of the ledger needs: updates that were refused or never submitted, uploads given up.
///
/// At the end of a round it notes what nobody needs; what is still not needed, and has not grown, at the end of the next
/// one goes. So nothing disappears between its upload and its submission.
package struct BlobSweeper: Sendable {
    /// A blob, and where it lies.
    package struct Place: Hashable, Sendable {
        package let digest: Digest
        /// The site that sent it; `nil`: in the shared store.
        package let site: SiteID?
    }

    private let blobs: BlobStore
    private let incoming: IncomingBlobs
    private var unneeded: Set<Place> = []
    private var unfinished: [Place: UInt64] = [:]

    package init(_ blobs: BlobStore, _ incoming: IncomingBlobs) {
        self.blobs = blobs
        self.incoming = incoming
    }

    /// Returns what was removed.
    package mutating func sweep(needed: Set<Digest>) throws -> [Place] {
        var removed: [Place] = [], candidates: Set<Place> = [], partial: [Place: UInt64] = [:]
        for (store, site) in try stores() {
            func place(_ digest: Digest) -> Place { Place(digest: digest, site: site) }
            // An upload that was accepted is in the shared store; what is left of it at its site serves nobody.
            for digest in try store.all() where site != nil || !needed.contains(digest) {
                if unneeded.contains(place(digest)) {
                    store.remove(digest)
                    removed.append(place(digest))
                } else {
                    candidates.insert(place(digest))
                }
            }
            for digest in store.unfinished() {
                let count = store.unfinishedByteCount(digest)
                if unfinished[place(digest)] == count {
                    store.removeUnfinished(digest)
                    removed.append(place(digest))
                } else {
                    partial[place(digest)] = count
                }
            }
        }
        (unneeded, unfinished) = (candidates, partial)
        return removed
    }

    private func stores() throws -> [(BlobStore, SiteID?)] { [(blobs, nil)] + (try incoming.sites().map { (try incoming.store(of: $0), $0) }) }
}
