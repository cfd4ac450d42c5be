import Blobs
import Federation
import Synchronization

/// Removes blobs that no ledger entry needs: updates that were refused or never submitted, and abandoned uploads.
///
/// A blob is removed only if two sweeps in succession find it unneeded, and an unfinished upload only if it has not
/// grown between them. A blob is therefore never removed between its upload and its submission.
///
/// The sites' uploads are scanned after every round. The shared store, which holds accepted updates, grows with each
/// round. Scanning all of it every time would take longer and longer and would find little, unless a round was
/// abandoned.
package final class BlobGarbageCollector: Sendable {
    /// A blob and the store that holds it.
    package struct Place: Hashable, Sendable {
        package let digest: Digest
        /// The site that uploaded it; `nil` for the shared store.
        package let site: SiteID?
    }

    private struct Found {
        var unneeded: Set<Place> = []
        var unfinished: [Place: UInt64] = [:]
        var roundsSinceAll = BlobGarbageCollector.roundsBetween
    }

    private let blobs: BlobStore
    private let incoming: IncomingBlobs
    private let found = Mutex(Found())

    /// The number of rounds after which the shared store is scanned in any case.
    private static let roundsBetween = 64

    package init(_ blobs: BlobStore, _ incoming: IncomingBlobs) {
        self.blobs = blobs
        self.incoming = incoming
    }

    /// Counts a round and decides whether to scan the shared store at its end.
    ///
    /// - Parameter wasAbandoned: Whether the round ended without a result and left its updates behind.
    /// - Returns: Whether the next sweep should include the shared store.
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

    /// Removes what was already unneeded in the previous sweep, and remembers what is unneeded now.
    ///
    /// - Parameter needed: The blobs to keep in the shared store; `nil` leaves the shared store out of the sweep.
    /// - Returns: The blobs that were removed.
    package func sweep(needed: Set<Digest>?) throws -> [Place] {
        let former = found.withLock { $0 }
        var removed: [Place] = [], candidates: Set<Place> = [], partial: [Place: UInt64] = [:]
        for (store, site) in try stores(withShared: needed != nil) {
            func place(_ digest: Digest) -> Place { Place(digest: digest, site: site) }
            // An accepted upload is in the shared store; a copy left in the site's own store is not needed.
            for digest in try store.all() where site != nil || needed?.contains(digest) == false {
                if former.unneeded.contains(place(digest)) {
                    store.remove(digest)
                    removed.append(place(digest))
                } else {
                    candidates.insert(place(digest))
                }
            }
            for (digest, count) in store.unfinished().sorted(by: { $0.key < $1.key }) {
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
