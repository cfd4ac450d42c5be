import Federation
import Synchronization
import Wire

/// Which connection writes which of a site's blobs: one at a time, and the newest connection wins, because the older
/// one may be a link that is dead but does not know it yet. What other sites send makes no difference.
final class SpoolRegistry: Sendable {
    struct Lease: Sendable {
        let digest: Digest
        let site: SiteID
        let number: Int
        /// Ends the connection that holds the lease.
        let close: @Sendable () -> Void
    }

    fileprivate struct Place: Hashable {
        let site: SiteID
        let digest: Digest
    }

    fileprivate struct State {
        var leases: [Place: Lease] = [:]
        var waiting: [Place: [CheckedContinuation<Void, Never>]] = [:]
        /// What each site has offered since the last round ended.
        var offered: [SiteID: Set<Digest>] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    func lease(_ digest: Digest, of site: SiteID, close: @escaping @Sendable () -> Void) async throws -> Lease {
        try state.withLock { try $0.checkLimits(digest, site) }
        let place = Place(site: site, digest: digest)
        while true {
            if let lease = state.withLock({ $0.take(place, close) }) { return lease }
            await withCheckedContinuation { continuation in
                let holder = state.withLock { $0.wait(for: place, continuation) }
                if let holder { holder.close() } else { continuation.resume() }
            }
        }
    }

    func release(_ lease: Lease) {
        let place = Place(site: lease.site, digest: lease.digest)
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard state.leases[place]?.number == lease.number else { return [] }
            state.leases[place] = nil
            return state.waiting.removeValue(forKey: place) ?? []
        }
        for continuation in waiting { continuation.resume() }
    }

    func roundEnded() { state.withLock { $0.offered = [:] } }
}

extension SpoolRegistry.State {
    fileprivate mutating func checkLimits(_ digest: Digest, _ site: SiteID) throws {
        guard leases.values.count(where: { $0.site == site && $0.digest != digest }) < CoordinatorLimits.uploadsPerSite
        else {
            throw Refusal(
                .limit,
                "\(site) uploads \(CoordinatorLimits.uploadsPerSite) blobs already, the limit",
                hint: "finish one first"
            )
        }
        offered[site, default: []].insert(digest)
        guard offered[site]!.count <= CoordinatorLimits.blobsPerSiteAndRound else {
            offered[site]!.remove(digest)
            throw Refusal(
                .limit,
                "\(site) offered \(CoordinatorLimits.blobsPerSiteAndRound) different blobs in this round, the limit",
                hint: "an update that was refused need not be sent again; wait for the next round"
            )
        }
    }

    /// The lease, where nobody holds the place.
    fileprivate mutating func take(_ place: SpoolRegistry.Place, _ close: @escaping @Sendable () -> Void)
        -> SpoolRegistry.Lease?
    {
        guard leases[place] == nil else { return nil }
        next += 1
        let lease = SpoolRegistry.Lease(digest: place.digest, site: place.site, number: next, close: close)
        leases[place] = lease
        return lease
    }

    /// Who holds the place; `continuation` goes on when that is over. `nil`: nobody holds it, and nothing waits.
    fileprivate mutating func wait(for place: SpoolRegistry.Place, _ continuation: CheckedContinuation<Void, Never>)
        -> SpoolRegistry.Lease?
    {
        guard let holder = leases[place] else { return nil }
        waiting[place, default: []].append(continuation)
        return holder
    }
}
