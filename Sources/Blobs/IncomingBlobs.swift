import Federation
import Synchronization

/// The sites' uploads that no ledger entry names yet. Knowing a digest does not prove possession of the blob, so each
/// site has its own store, in which blobs of other sites and of the shared store are absent.
///
/// Each such store has its own spools, so that they are assigned to the right site after a restart.
public final class IncomingBlobs: Sendable {
    private let shared: BlobStore
    // One store object per site, because the object knows which spools are open.
    private let stores = Mutex<[SiteID: BlobStore]>([:])

    /// Gives access to the sites' uploads in the place of a shared store; a site's store is created when it is first
    /// needed.
    ///
    /// - Parameter shared: The store of the blobs that ledger entries name.
    public init(_ shared: BlobStore) { self.shared = shared }

    /// Returns the store of a site's uploads; creates it if it is missing.
    ///
    /// - Parameter site: The site.
    /// - Throws: `BlobError` if it cannot be created.
    public func store(of site: SiteID) throws -> BlobStore {
        try stores.withLock { stores in
            if let store = stores[site] { return store }
            let store = BlobStore(
                try shared.backend.incoming(of: site),
                checkpointBytes: shared.checkpointBytes
            )
            stores[site] = store
            return store
        }
    }

    /// Returns the sites that have uploaded anything, sorted.
    public func sites() -> [SiteID] { shared.backend.incomingSites().sorted() }

    /// Adds a site's blob to the shared store, durably. The site's store keeps its own link until ``remove(_:of:)``, so
    /// that a crash in between loses nothing. Idempotent.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - site: The site that uploaded the blob.
    /// - Throws: `BlobError` if the site has no such blob or it cannot be added.
    public func publish(_ digest: Digest, of site: SiteID) throws { try shared.share(digest, from: store(of: site)) }

    /// Removes a blob from a site's store; the shared store keeps it.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - site: The site that uploaded the blob.
    public func remove(_ digest: Digest, of site: SiteID) {
        // A store that cannot be opened cannot serve the blob either; the sweep removes what remains.
        try? store(of: site).remove(digest)
    }
}
