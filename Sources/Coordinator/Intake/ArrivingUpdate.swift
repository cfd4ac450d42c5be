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

/// What was seen of the updates that have arrived since the last round ended. An update that is not here is read.
final class ArrivedUpdates: Sendable {
    private struct Place: Hashable {
        let site: SiteID
        let digest: Digest
    }

    private let updates = Mutex<[Place: ScannedUpdate]>([:])

    /// - Parameter update: what was seen of exactly the bytes of this digest.
    func note(_ update: ScannedUpdate?, _ digest: Digest, of site: SiteID) {
        guard let update else { return }
        updates.withLock { $0[Place(site: site, digest: digest)] = update }
    }

    func take(_ digest: Digest, of site: SiteID) -> ScannedUpdate? { updates.withLock { $0.removeValue(forKey: Place(site: site, digest: digest)) } }

    func roundEnded() { updates.withLock { $0 = [:] } }
}
