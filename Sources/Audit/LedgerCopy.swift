import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Wire

/// A copy of a coordinator's data directory, read without trusting it and without changing it.
public struct LedgerCopy: Sendable {
    public let directory: String
    public let roots: TrustRoots
    public let entries: [StoredEntry]
    /// `nil` where the copy holds none.
    public let treeHead: String?

    var ledgerPath: String { directory + "/ledger.sqlite" }
    var sealPath: String { directory + "/ledger.seal" }
    var blobsPath: String { directory + "/blobs" }
    var releasesPath: String { directory + "/releases" }

    /// `authority`: the CA certificate that the auditor trusts; the copy's own only where that is all there is.
    public init(directory: String, authority: String?) throws {
        self.directory = directory
        let path = authority ?? directory + "/ca.pem"
        guard let pem = FileManager.default.contents(atPath: path) else {
            throw AuditError("cannot read the CA certificate \(path)", hint: "name it with --ca")
        }
        roots = try TrustRoots(pem: Array(pem))
        guard FileManager.default.fileExists(atPath: directory + "/ledger.sqlite") else {
            throw AuditError("\(directory) holds no ledger.sqlite", hint: "copy the coordinator's data directory, without log.key")
        }
        (entries, treeHead) = try Self.read(directory)
    }

    /// SQLite may write beside a file that it reads, so it gets a copy of its own.
    private static func read(_ directory: String) throws -> ([StoredEntry], String?) {
        let manager = FileManager.default
        let scratch = manager.temporaryDirectory.appendingPathComponent("kumiai-audit-\(UUID().uuidString)").path
        try manager.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? manager.removeItem(atPath: scratch) }
        for suffix in ["", "-wal"] where manager.fileExists(atPath: "\(directory)/ledger.sqlite\(suffix)") {
            try manager.copyItem(atPath: "\(directory)/ledger.sqlite\(suffix)", toPath: "\(scratch)/ledger.sqlite\(suffix)")
        }
        let store = try SQLiteEntryStore(path: scratch + "/ledger.sqlite")
        defer { try? store.close() }
        return (try store.entries(), try store.newestTreeHead())
    }

    public func entry(at index: Int) throws -> Entry {
        guard entries.indices.contains(index) else { throw AuditError("the ledger has no entry \(index): it has \(entries.count)") }
        return try Entry(wireBytes: entries[index].bytes)
    }

    public var blobs: BlobStore { BlobStore(reading: blobsPath) }
}

/// An audit that cannot be made.
public struct AuditError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
    public var description: String { message }
}
