import Federation
import Wire

/// Which connection writes which of a site's blobs: one at a time, and the newest connection wins, because the older one may
/// be a link that is dead but does not know it yet. What other sites send makes no difference.
actor SpoolRegistry {
    struct Lease: Sendable {
        let digest: Digest
        let site: SiteID
        let number: Int
        /// Ends the connection that holds the lease.
        let close: @Sendable () -> Void
    }

    private struct Place: Hashable {
        let site: SiteID
        let digest: Digest
    }

    private var leases: [Place: Lease] = [:]
    private var waiting: [Place: [CheckedContinuation<Void, Never>]] = [:]
    /// What each site has offered since the last round ended.
    private var offered: [SiteID: Set<Digest>] = [:]
    private var next = 0

    func lease(_ digest: Digest, of site: SiteID, close: @escaping @Sendable () -> Void) async throws -> Lease {
        try checkLimits(digest, site)
        let place = Place(site: site, digest: digest)
        while let holder = leases[place] {
            holder.close()
            await withCheckedContinuation { waiting[place, default: []].append($0) }
        }
        next += 1
        let lease = Lease(digest: digest, site: site, number: next, close: close)
        leases[place] = lease
        return lease
    }

    private func checkLimits(_ digest: Digest, _ site: SiteID) throws {
        guard leases.values.count(where: { $0.site == site && $0.digest != digest }) < CoordinatorLimits.uploadsPerSite else {
            throw Refusal(.limit, "\(site) uploads \(CoordinatorLimits.uploadsPerSite) blobs already, the limit", hint: "finish one first")
        }
        offered[site, default: []].insert(digest)
        guard offered[site]!.count <= CoordinatorLimits.blobsPerSiteAndRound else {
            offered[site]!.remove(digest)
            throw Refusal(
                .limit, "\(site) offered \(CoordinatorLimits.blobsPerSiteAndRound) different blobs in this round, the limit",
                hint: "an update that was refused need not be sent again; wait for the next round")
        }
    }

    func release(_ lease: Lease) {
        let place = Place(site: lease.site, digest: lease.digest)
        guard leases[place]?.number == lease.number else { return }
        leases[place] = nil
        for continuation in waiting.removeValue(forKey: place) ?? [] { continuation.resume() }
    }

    func roundEnded() { offered = [:] }
}
