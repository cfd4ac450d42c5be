import Blobs
import Federation
import Synchronization
import Updates

/// Scans an update while it is spooled.
final class ArrivingUpdate: SpoolObserver {
    private let scan: Mutex<UpdateScan>

    init(byteCount: UInt64) { scan = Mutex(UpdateScan(byteCount: byteCount)) }

    func update(_ bytes: UnsafeRawBufferPointer) { scan.withLock { $0.update(bytes) } }

    var result: ScannedUpdate? { scan.withLock { $0.result } }
}

/// The scan of the newest update of each site since the last round ended. An update without a scan is read from the
/// disk.
final class ArrivedUpdates: Sendable {
    // One per site, so that a hostile site cannot use up memory.
    private let updates = Mutex<[SiteID: (digest: Digest, update: ScannedUpdate)]>([:])

    /// - Parameter update: The scan of exactly the bytes with this digest.
    func store(_ update: ScannedUpdate, _ digest: Digest, of site: SiteID) {
        updates.withLock { $0[site] = (digest, update) }
    }

    func take(_ digest: Digest, of site: SiteID) -> ScannedUpdate? {
        updates.withLock { updates in
            guard updates[site]?.digest == digest else { return nil }
            return updates.removeValue(forKey: site)?.update
        }
    }

    func roundEnded() { updates.withLock { $0 = [:] } }
}
