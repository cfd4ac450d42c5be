import Blobs
import Federation
import Foundation
import Wire

/// The update that waits for its answer, and the receipts of those that got one. Each file appears whole.
struct Outbox: Sendable {
    private let pending: String
    private let receipts: String
    private let sent: String

    init(directory: String) throws {
        pending = directory + "/outbox.pb"
        receipts = directory + "/receipts"
        sent = directory + "/sent.jsonl"
        try FileManager.default.createDirectory(atPath: receipts, withIntermediateDirectories: true)
    }

    /// What a former run left, if anything.
    func load() throws -> SignedUpdate? {
        guard let bytes = FileManager.default.contents(atPath: pending) else { return nil }
        return try SignedUpdate(wireBytes: Array(bytes))
    }

    func store(_ update: SignedUpdate) throws { try write(update.wireBytes, to: pending) }
    func clear() { unlink(pending) }

    func keep(_ receipt: Receipt, of update: SignedUpdate) throws {
        let manifest = update.manifest
        try write(receipt.wireBytes, to: "\(receipts)/\(manifest.campaign)-\(manifest.key.round)-\(manifest.key.attempt).receipt")
    }

    var receiptCount: Int { ((try? FileManager.default.contentsOfDirectory(atPath: receipts)) ?? []).count }

    /// A line for the security officer: what left the site, when, and its digest.
    func noteSent(_ manifest: UpdateManifest, at time: Timestamp) {
        let line = """
            {"at_ms": \(time.milliseconds), "campaign": "\(manifest.campaign)", "round": \(manifest.key.round), "attempt": \
            \(manifest.key.attempt), "update": "\(manifest.update.hex)", "bytes": \(manifest.updateByteCount)}\n
            """
        guard let file = fopen(sent, "a") else { return }
        fputs(line, file)
        fclose(file)
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let draft = path + ".new"
        try Data(bytes).write(to: URL(fileURLWithPath: draft))
        try synchronise(draft)
        guard rename(draft, path) == 0 else { throw WorkerError("cannot write \(path): \(String(cString: strerror(errno)))") }
        try synchronise((path as NSString).deletingLastPathComponent)
    }
}
