import Blobs
import Federation
import Wire

/// The stored update for which there is no final answer yet. The file is written atomically, and is durable before it
/// is used.
package struct Outbox: Sendable {
    private let disk: any Disk
    private let pending: String

    package init(directory: String, disk: any Disk = SystemDisk()) throws {
        self.disk = disk
        pending = directory + "/outbox.pb"
        try disk.makeDirectory(directory)
        // The file of an earlier run is used from here on, so its name must be durable.
        if !disk.names(in: directory).isEmpty { try disk.synchronise(directory: directory) }
    }

    /// Returns the update that an earlier run left; `nil` if there is none.
    ///
    /// - Throws: ``WorkerError`` if the file is damaged.
    package func load() throws -> SignedUpdate? {
        try disk.contents(of: pending).map { bytes in
            do { return try SignedUpdate(wireBytes: bytes) } catch {
                throw WorkerError(
                    "\(pending) cannot be read: \(error)",
                    hint: "move it away: the round is trained again"
                )
            }
        }
    }

    package func store(_ update: SignedUpdate) throws { try disk.store(update.wireBytes, at: pending) }

    package func clear() { disk.remove(pending) }
}
