import Federation
import Wire

/// Which connection writes which blob: one at a time, and a site's newest connection wins, because its older one may be
/// a link that is dead but does not know it yet.
actor SpoolRegistry {
    struct Lease: Sendable {
        let digest: Digest
        let site: SiteID
        let number: Int
        /// Ends the connection that holds the lease.
        let close: @Sendable () -> Void
    }

    private var leases: [Digest: Lease] = [:]
    private var waiting: [Digest: [CheckedContinuation<Void, Never>]] = [:]
    /// What each site has offered since the last round ended.
    private var offered: [SiteID: Set<Digest>] = [:]
    private var next = 0

    func lease(_ digest: Digest, of site: SiteID, close: @escaping @Sendable () -> Void) async throws -> Lease {
        try checkLimits(digest, site)
        while let holder = leases[digest] {
            guard holder.site == site else { throw Refusal(.conflict, "another site is uploading a blob of this digest") }
            holder.close()
            await withCheckedContinuation { waiting[digest, default: []].append($0) }
        }
        next += 1
        let lease = Lease(digest: digest, site: site, number: next, close: close)
        leases[digest] = lease
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
        guard leases[lease.digest]?.number == lease.number else { return }
        leases[lease.digest] = nil
        for continuation in waiting.removeValue(forKey: lease.digest) ?? [] { continuation.resume() }
    }

    func roundEnded() { offered = [:] }
}
