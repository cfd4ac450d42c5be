import Federation
import Synchronization

/// The sites' uploads that no ledger entry names yet. Knowing a digest does not prove possession of the blob, so each
/// site has its own store, in which blobs of other sites and of the shared store are absent.
///
/// `incoming/<member>/<site>` in the shared store's directory is a ``BlobStore``. It contains its own spools, so that
/// they are assigned to the right site after a restart.
public final class IncomingBlobs: Sendable {
    private let shared: BlobStore
    // One store object per site, because the object knows which spools are open.
    private let stores = Mutex<[SiteID: BlobStore]>([:])
    private var directory: String { shared.directory + "/incoming" }

    public init(_ shared: BlobStore) { self.shared = shared }

    /// Returns the store of a site's uploads; creates it if it is missing.
    ///
    /// - Throws: `BlobError` if it cannot be created.
    public func store(of site: SiteID) throws -> BlobStore {
        try stores.withLock { stores in
            if let store = stores[site] { return store }
            let store = try BlobStore(
                directory: "\(directory)/\(site)",
                disk: shared.disk,
                checkpointBytes: shared.checkpointBytes,
                isFlat: true
            )
            // Bytes reported as durable also need their parent directories to be durable.
            for path in ["\(directory)/\(site)", "\(directory)/\(site.member)", directory, shared.directory] {
                try shared.disk.synchronise(directory: path)
            }
            stores[site] = store
            return store
        }
    }

    /// Returns the sites that have uploaded anything, sorted.
    public func sites() -> [SiteID] {
        shared.disk.names(in: directory).flatMap { member in
            shared.disk.names(in: "\(directory)/\(member)").compactMap { SiteID("\(member)/\($0)") }
        }.sorted()
    }

    /// Adds a site's blob to the shared store, durably. The site's store keeps its own link until ``remove(_:of:)``, so
    /// that a crash in between loses nothing. Idempotent.
    ///
    /// - Throws: `BlobError` if the site has no such blob or it cannot be added.
    public func publish(_ digest: Digest, of site: SiteID) throws { try shared.share(digest, from: store(of: site)) }

    /// Removes a blob from a site's store; the shared store keeps it.
    public func remove(_ digest: Digest, of site: SiteID) {
        // A store that cannot be opened cannot serve the blob either; the sweep removes what remains.
        try? store(of: site).remove(digest)
    }
}
