import Blobs
import Federation

/// Removes blobs that no entry of the ledger needs: updates that were refused or never submitted, uploads given up.
///
/// At the end of a round it notes what nobody needs; what is still not needed, and has not grown, at the end of the next
/// one goes. So nothing disappears between its upload and its submission.
///
/// What sites upload is looked through after every round. The shared store holds what was accepted, and grows with the rounds:
/// looking through all of it each time would take longer and longer, and little of it is ever unneeded unless a round was
/// abandoned.
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
    private var roundsSinceAll = Self.roundsBetween

    /// Rounds after which the shared store is looked through in any case.
    private static let roundsBetween = 64

    package init(_ blobs: BlobStore, _ incoming: IncomingBlobs) {
        self.blobs = blobs
        self.incoming = incoming
    }

    /// Returns what was removed. `wasAbandoned`: the round that ended has no result, and left its updates.
    package mutating func sweep(needed: @autoclosure () -> Set<Digest>, wasAbandoned: Bool) throws -> [Place] {
        roundsSinceAll += 1
        let all = wasAbandoned || roundsSinceAll > Self.roundsBetween || unneeded.contains { $0.site == nil } || unfinished.keys.contains { $0.site == nil }
        if all { roundsSinceAll = 0 }
        let needed = all ? needed() : []
        var removed: [Place] = [], candidates: Set<Place> = [], partial: [Place: UInt64] = [:]
        for (store, site) in try stores() where site != nil || all {
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
