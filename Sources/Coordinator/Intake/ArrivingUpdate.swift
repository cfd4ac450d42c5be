import Blobs
import Federation
import Synchronization
import Updates

/// Looks at an update while it is spooled.
final class ArrivingUpdate: SpoolObserver {
    private let scan: Mutex<UpdateScan>

    init(byteCount: UInt64) { scan = Mutex(UpdateScan(byteCount: byteCount)) }

    func see(_ bytes: UnsafeRawBufferPointer) { scan.withLock { $0.see(bytes) } }

    var result: ScannedUpdate? { scan.withLock { $0.result } }
}

/// What was seen of the newest update of each site since the last round ended. An update that is not here is read.
final class ArrivedUpdates: Sendable {
    // One a site: what a hostile one fills is bounded.
    private let updates = Mutex<[SiteID: (digest: Digest, update: ScannedUpdate)]>([:])

    /// - Parameter update: what was seen of exactly the bytes of this digest.
    func note(_ update: ScannedUpdate?, _ digest: Digest, of site: SiteID) {
        updates.withLock { $0[site] = update.map { (digest, $0) } }
    }

    func take(_ digest: Digest, of site: SiteID) -> ScannedUpdate? {
        updates.withLock { updates in
            guard updates[site]?.digest == digest else { return nil }
            return updates.removeValue(forKey: site)?.update
        }
    }

    func roundEnded() { updates.withLock { $0 = [:] } }
}
