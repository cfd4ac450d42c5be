import Blobs
import Federation
import Synchronization

/// Removes blobs that no entry of the ledger needs: updates that were refused or never submitted, uploads given up.
///
/// At the end of a round it notes what nobody needs; what is still not needed, and has not grown, at the end of the
/// next one goes. So nothing disappears between its upload and its submission.
///
/// What sites upload is looked through after every round. The shared store holds what was accepted, and grows with the
/// rounds: looking through all of it each time would take longer and longer, and little of it is ever unneeded unless a
/// round was abandoned.
package final class BlobSweeper: Sendable {
    /// A blob, and where it lies.
    package struct Place: Hashable, Sendable {
        package let digest: Digest
        /// The site that sent it; `nil`: in the shared store.
        package let site: SiteID?
    }

    private struct Found {
        var unneeded: Set<Place> = []
        var unfinished: [Place: UInt64] = [:]
        var roundsSinceAll = BlobSweeper.roundsBetween
    }

    private let blobs: BlobStore
    private let incoming: IncomingBlobs
    private let found = Mutex(Found())

    /// Rounds after which the shared store is looked through in any case.
    private static let roundsBetween = 64

    package init(_ blobs: BlobStore, _ incoming: IncomingBlobs) {
        self.blobs = blobs
        self.incoming = incoming
    }

    /// Counts a round, and says whether the shared store is to be looked through at its end. `wasAbandoned`: the round
    /// has no result, and left its updates.
    package func needsAll(wasAbandoned: Bool) -> Bool {
        found.withLock { found in
            found.roundsSinceAll += 1
            let all =
                wasAbandoned || found.roundsSinceAll > Self.roundsBetween || found.unneeded.contains { $0.site == nil }
                || found.unfinished.keys.contains { $0.site == nil }
            if all { found.roundsSinceAll = 0 }
            return all
        }
    }

    /// Returns what was removed. `needed`: what must stay in the shared store; `nil`: it is not looked through.
    package func sweep(needed: Set<Digest>?) throws -> [Place] {
        let former = found.withLock { $0 }
        var removed: [Place] = [], candidates: Set<Place> = [], partial: [Place: UInt64] = [:]
        for (store, site) in try stores(withShared: needed != nil) {
            func place(_ digest: Digest) -> Place { Place(digest: digest, site: site) }
            // An upload that was accepted is in the shared store; what is left of it at its site serves nobody.
            for digest in try store.all() where site != nil || needed?.contains(digest) == false {
                if former.unneeded.contains(place(digest)) {
                    store.remove(digest)
                    removed.append(place(digest))
                } else {
                    candidates.insert(place(digest))
                }
            }
            for digest in store.unfinished() {
                let count = store.unfinishedByteCount(digest)
                if former.unfinished[place(digest)] == count {
                    store.removeUnfinished(digest)
                    removed.append(place(digest))
                } else {
                    partial[place(digest)] = count
                }
            }
        }
        found.withLock { ($0.unneeded, $0.unfinished) = (candidates, partial) }
        return removed
    }

    private func stores(withShared: Bool) throws -> [(BlobStore, SiteID?)] {
        (withShared ? [(blobs, nil)] : []) + (try incoming.sites().map { (try incoming.store(of: $0), $0) })
    }
}
