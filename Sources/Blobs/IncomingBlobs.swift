import Federation
import Synchronization

/// What sites have sent and no entry of the ledger names yet. A digest is not possession: each site has a store of its
/// own, and what another site has sent, or what the shared store holds, is not there.
///
/// `incoming/<member>/<site>` in the shared store's directory is a ``BlobStore``; it lies beside the spools that it
/// keeps, so a restart finds whose they are.
public final class IncomingBlobs: Sendable {
    private let shared: BlobStore
    // One store object a site: it knows which spools are open.
    private let stores = Mutex<[SiteID: BlobStore]>([:])
    private var directory: String { shared.directory + "/incoming" }

    public init(_ shared: BlobStore) { self.shared = shared }

    /// The store of a site's uploads; created where it is missing.
    public func store(of site: SiteID) throws -> BlobStore {
        try stores.withLock { stores in
            if let store = stores[site] { return store }
            let store = try BlobStore(
                directory: "\(directory)/\(site)",
                disk: shared.disk,
                checkpointBytes: shared.checkpointBytes,
                isFlat: true
            )
            // Bytes that are said to be durable need the directories above them too.
            for path in ["\(directory)/\(site)", "\(directory)/\(site.member)", directory, shared.directory] {
                try shared.disk.synchronise(directory: path)
            }
            stores[site] = store
            return store
        }
    }

    /// The sites that have sent anything, sorted.
    public func sites() -> [SiteID] {
        shared.disk.names(in: directory).flatMap { member in
            shared.disk.names(in: "\(directory)/\(member)").compactMap { SiteID("\(member)/\($0)") }
        }.sorted()
    }

    /// Makes a site's blob one of the shared store, durably. The site keeps its own name of it until ``remove(_:of:)``,
    /// so that a process that dies in between costs the site nothing; doing it again does no harm.
    public func publish(_ digest: Digest, of site: SiteID) throws { try shared.share(digest, from: store(of: site)) }

    /// Removes a site's own name of a blob; the shared store's stays.
    public func remove(_ digest: Digest, of site: SiteID) {
        // Where it cannot be opened, nothing can be served from it either; the sweep removes what is left.
        try? store(of: site).remove(digest)
    }
}
