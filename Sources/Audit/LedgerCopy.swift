import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Verification
import Wire

/// A copy of a coordinator's data directory; it is read without being trusted or changed.
package struct LedgerCopy: Sendable {
    package let directory: String
    package let roots: TrustRoots
    package let entries: [StoredEntry]
    /// `nil` if the copy has none.
    package let treeHead: String?

    var ledgerPath: String { directory + "/ledger.sqlite" }
    var sealPath: String { directory + "/ledger.seal" }
    var blobsPath: String { directory + "/blobs" }
    var releasesPath: String { directory + "/releases" }

    /// Opens a copy.
    ///
    /// - Parameters:
    ///   - directory: The copy of the data directory.
    ///   - authority: The path of the CA certificate that the auditor trusts; if `nil`, the copy's own is used.
    /// - Throws: `AuditError` if the copy cannot be read, or its ledger was founded under another CA.
    package init(directory: String, authority: String?) throws {
        self.directory = directory
        guard FileManager.default.fileExists(atPath: directory) else {
            throw AuditError(
                "there is no directory \(directory)",
                hint: "give the path of a copy of the coordinator's data directory",
                code: .wrongOption
            )
        }
        let path = authority ?? directory + "/ca.pem"
        guard let pem = try? IdentityFile.read(path) else {
            throw AuditError("cannot read the CA certificate \(path)", hint: "give it with --ca", code: .wrongOption)
        }
        do { roots = try TrustRoots(pem: pem) } catch {
            throw AuditError("\(path) is not a CA certificate: \(error)", hint: "give it with --ca", code: .wrongOption)
        }
        guard FileManager.default.fileExists(atPath: directory + "/ledger.sqlite") else {
            throw AuditError(
                "\(directory) holds no ledger.sqlite",
                hint: "copy the coordinator's data directory, without log.key",
                code: .wrongOption
            )
        }
        do { (entries, treeHead) = try Self.read(directory) } catch let error as LedgerError {
            throw AuditError(
                error.message,
                hint: "copy the coordinator's data directory again; if the error stays, the ledger was changed",
                code: .tampered
            )
        }
        // Under another CA every check would fail, and those findings would add nothing to this message.
        if let authority, let problem = authorityProblem {
            throw AuditError(problem, hint: Self.hint(authority), code: .otherAuthority)
        }
    }

    private static func hint(_ authority: String) -> String {
        """
        \(authority) must be the CA certificate of this consortium; if you are sure that it is, this is not the \
        consortium's ledger, and nothing in it can be trusted
        """
    }

    /// The content of the first entry, not verified.
    var claimedGenesis: Genesis? {
        guard let first = entries.first, first.isIntact,
            case .founded(let genesis)? = try? Entry(wireBytes: first.bytes).body
        else { return nil }
        return genesis
    }

    /// A message if the ledger was founded under none of ``roots``; `nil` also if its genesis entry cannot be read.
    var authorityProblem: String? { claimedGenesis.flatMap(roots.problem) }

    /// SQLite may write files beside the one that it reads, so it gets its own copy.
    private static func read(_ directory: String) throws -> ([StoredEntry], String?) {
        let manager = FileManager.default
        let scratch = manager.temporaryDirectory.appendingPathComponent("kumiai-audit-\(UUID().uuidString)").path
        try manager.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? manager.removeItem(atPath: scratch) }
        for suffix in ["", "-wal"] where manager.fileExists(atPath: "\(directory)/ledger.sqlite\(suffix)") {
            // Resolve symbolic links: a copied relative link would point to another place or to nothing.
            let path = URL(fileURLWithPath: "\(directory)/ledger.sqlite\(suffix)").resolvingSymlinksInPath().path
            guard try manager.attributesOfItem(atPath: path)[.type] as? FileAttributeType == .typeRegular else {
                throw AuditError(
                    "\(directory)/ledger.sqlite\(suffix) is not a regular file",
                    hint: "copy the coordinator's data directory again"
                )
            }
            try manager.copyItem(atPath: path, toPath: "\(scratch)/ledger.sqlite\(suffix)")
        }
        let store = try SQLiteLedger(path: scratch + "/ledger.sqlite")
        defer { try? store.close() }
        var entries: [StoredEntry] = []
        try store.forEachEntry { entries.append($1) }
        return (entries, try store.newestTreeHead())
    }

    package func entry(at index: Int) throws -> Entry {
        guard entries.indices.contains(index) else {
            throw AuditError("the ledger has no entry \(index): it has \(entries.count)", code: .wrongOption)
        }
        guard entries[index].isIntact else {
            throw AuditError(
                "entry \(index): its bytes or its leaf hash were changed",
                hint: "kumiai audit verify lists everything that is wrong",
                code: .tampered
            )
        }
        return try Entry(wireBytes: entries[index].bytes)
    }

    package var blobs: BlobStore { BlobStore(reading: blobsPath) }
}

/// An audit that cannot be done.
package struct AuditError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case failed
        /// The ledger violates the rules, so it was changed or is not a ledger.
        case tampered
        /// The ledger was founded under a CA other than the trusted one; nothing was checked.
        case otherAuthority
        /// An option or argument names something that does not exist or is of the wrong kind.
        case wrongOption
    }

    package let code: Code
    package let message: String
    package let hint: String
    package init(_ message: String, hint: String = "", code: Code = .failed) {
        self.code = code
        self.message = message
        self.hint = hint
    }
    package var description: String { message }
}
