import Blobs
import Federation
import Wire

/// The update that waits for its answer, and the receipts of those that got one. Each file appears whole, and is durable
/// before anybody acts on it.
package struct Outbox: Sendable {
    private let disk: any Disk
    private let pending: String
    private let receipts: String
    private let pinnedKey: String

    package init(directory: String, disk: any Disk = SystemDisk()) throws {
        self.disk = disk
        pending = directory + "/outbox.pb"
        receipts = directory + "/receipts"
        pinnedKey = directory + "/log-key"
        try disk.makeDirectory(receipts)
    }

    /// What a former run left, if anything.
    package func load() throws -> SignedUpdate? {
        try disk.contents(of: pending).map { try SignedUpdate(wireBytes: $0) }
    }

    package func store(_ update: SignedUpdate) throws { try disk.store(update.wireBytes, at: pending) }

    package func clear() { disk.remove(pending) }

    package func keep(_ receipt: Receipt, of update: SignedUpdate) throws {
        try disk.store(receipt.wireBytes, at: receiptPath(update.manifest))
    }

    package func hasReceipt(of update: SignedUpdate) -> Bool { disk.byteCount(receiptPath(update.manifest)) != nil }

    private func receiptPath(_ manifest: UpdateManifest) -> String {
        "\(receipts)/\(manifest.campaign)-\(manifest.key.round)-\(manifest.key.attempt).receipt"
    }

    package var receiptNames: [String] { disk.names(in: receipts).filter { $0.hasSuffix(".receipt") }.sorted() }

    package func receipt(named name: String) throws -> Receipt? { try disk.contents(of: "\(receipts)/\(name)").map { try Receipt(wireBytes: $0) } }

    /// The ledger's key must stay what it was when this site first saw it: another one is another ledger.
    package func pin(_ logKey: [UInt8]) throws {
        guard let known = try disk.contents(of: pinnedKey) else { return try disk.store(logKey, at: pinnedKey) }
        guard known == logKey else {
            throw WorkerError(
                "the coordinator's ledger has another key than the one that this site has known",
                hint: "ask the consortium why; if it was founded anew, move \(pinnedKey) and the receipts away")
        }
    }
}
