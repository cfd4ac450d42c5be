import Federation
import Synchronization
import Wire

/// Decides which connection may write which blob of a site. One connection at a time writes a blob, and the newest
/// wins, because the older one may be a dead link that has not been detected yet. Sites do not affect each other.
final class SpoolRegistry: Sendable {
    struct Lease: Sendable {
        let digest: Digest
        let site: SiteID
        let number: Int
        /// Closes the connection that holds the lease.
        let close: @Sendable () -> Void
    }

    fileprivate struct Place: Hashable {
        let site: SiteID
        let digest: Digest
    }

    fileprivate struct State {
        var leases: [Place: Lease] = [:]
        var waiting: [Place: [CheckedContinuation<Void, Never>]] = [:]
        /// The blobs that each site has offered since the last round ended.
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
                "\(site) uploads \(CoordinatorLimits.uploadsPerSite) blobs already, which is the limit",
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

    /// Returns a new lease, or `nil` if the place is already leased.
    fileprivate mutating func take(_ place: SpoolRegistry.Place, _ close: @escaping @Sendable () -> Void)
        -> SpoolRegistry.Lease?
    {
        guard leases[place] == nil else { return nil }
        next += 1
        let lease = SpoolRegistry.Lease(digest: place.digest, site: place.site, number: next, close: close)
        leases[place] = lease
        return lease
    }

    /// Returns the lease of the current holder, and resumes `continuation` when it is released. Returns `nil` and does
    /// not wait if the place is free.
    fileprivate mutating func wait(for place: SpoolRegistry.Place, _ continuation: CheckedContinuation<Void, Never>)
        -> SpoolRegistry.Lease?
    {
        guard let holder = leases[place] else { return nil }
        waiting[place, default: []].append(continuation)
        return holder
    }
}
