import Blobs
import Federation
import Wire

/// The update that waits for its answer. The file appears whole, and is durable before anybody acts on it.
package struct Outbox: Sendable {
    private let disk: any Disk
    private let pending: String

    package init(directory: String, disk: any Disk = SystemDisk()) throws {
        self.disk = disk
        pending = directory + "/outbox.pb"
        try disk.makeDirectory(directory)
        // What a former run put in place counts from here on: its name must be durable.
        if !disk.names(in: directory).isEmpty { try disk.synchronise(directory: directory) }
    }

    /// What a former run left, if anything.
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
