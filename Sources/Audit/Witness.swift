import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Tensors
import Wire

/// A receipt or a tree head that another party got from the coordinator. The ledger must extend it.
///
/// A completely rewritten history is consistent in itself; only what others hold can expose it.
package struct Witness: Sendable {
    /// The file that it was read from.
    package let name: String
    private let kind: Kind

    private enum Kind: Sendable {
        case receipt(Receipt)
        case treeHead(String)
    }

    static let maximumBytes = 1 << 20

    /// Reads a receipt (`*.receipt`) or a tree head (a signed note), or all of them in a directory.
    ///
    /// - Throws: `AuditError` if a file cannot be read or is neither a receipt nor a tree head.
    package static func read(_ path: String) throws -> [Witness] {
        guard FileManager.default.fileExists(atPath: path) else {
            throw AuditError("\(path) does not exist", hint: hint, code: .wrongOption)
        }
        guard isDirectory(path) else { return [try Witness(path)] }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        return try names.filter { !$0.hasSuffix(".new") && !isDirectory("\(path)/\($0)") }.map {
            try Witness("\(path)/\($0)")
        }
    }

    private static let hint = "--witness takes a receipt, a tree head, or a directory of them"

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    private init(_ path: String) throws {
        name = SystemDisk.name(of: path)
        let data: [UInt8]
        do { data = try RegularFile.read(path, atMost: Self.maximumBytes) } catch let error as InputFileError {
            throw AuditError(error.message, hint: error.hint)
        }
        if path.hasSuffix(".receipt") || path.hasSuffix(".receipt-conflict") {
            kind = .receipt(try Receipt(wireBytes: data))
        } else {
            let text = String(decoding: data, as: UTF8.self)
            // Check only for origin, size and root here; the signature is verified later.
            let lines = text.components(separatedBy: "\n")
            guard lines.count > 3, Int(lines[1]) != nil else {
                throw AuditError("\(path) is neither a receipt nor a tree head", hint: Self.hint, code: .wrongOption)
            }
            kind = .treeHead(text)
        }
    }

    /// Returns the declared loss that explains why the ledger does not extend this witness, if there is one.
    func loss(
        among losses: [ConsortiumState.RecordedLoss],
        in entries: [StoredEntry],
        consortium: String,
        logKey: [UInt8]
    ) -> ConsortiumState.RecordedLoss? {
        let origin = SignedTreeHead.origin(consortium: consortium)
        guard let seen = try? SignedTreeHead(note: treeHead, origin: origin, key: logKey).head else { return nil }
        return losses.first { loss in
            guard let lost = try? SignedTreeHead(note: loss.declaration.lostTreeHead, origin: origin, key: logKey).head,
                seen.isExplained(byLossOf: lost, declaredAt: loss.at)
            else { return false }
            // Entries that the declaration says were kept must be there.
            if case .receipt(let receipt) = kind, receipt.index < loss.declaration.keptEntries, !holds(receipt, entries)
            {
                return false
            }
            return seen.size > loss.declaration.keptEntries
        }
    }

    private func holds(_ receipt: Receipt, _ entries: [StoredEntry]) -> Bool {
        guard let index = Int(exactly: receipt.index), index < entries.count else { return false }
        return entries[index].bytes == receipt.entry
    }

    private var treeHead: String {
        switch kind {
        case .receipt(let receipt): receipt.treeHead
        case .treeHead(let note): note
        }
    }

    /// Checks that the ledger extends this witness.
    ///
    /// - Throws: `AuditError` or `LedgerError` if it does not, or if the witness's signature is wrong.
    func check(against entries: [StoredEntry], tree: MerkleTree, consortium: String, logKey: [UInt8]) throws {
        if case .receipt(let receipt) = kind {
            _ = try receipt.verify(consortium: consortium, logKey: logKey)
            guard holds(receipt, entries) else {
                throw AuditError("its entry \(receipt.index) is not in this ledger: it was dropped or changed")
            }
        }
        let head = try SignedTreeHead(
            note: treeHead,
            origin: SignedTreeHead.origin(consortium: consortium),
            key: logKey
        ).head
        guard head.size <= tree.count else {
            throw AuditError("it covers \(head.size) entries, but this ledger has \(tree.count): its end was cut off")
        }
        guard tree.root(size: head.size) == head.root else {
            throw AuditError("the first \(head.size) entries do not match its signed root")
        }
    }
}
