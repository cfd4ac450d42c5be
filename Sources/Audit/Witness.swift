import Federation
import Foundation
import Identity
import Ledger
import Tensors
import Wire

/// What somebody else was given by the coordinator: a receipt or a tree head. The ledger must be one that goes on from it.
///
/// A history that was rewritten as a whole is sound in itself; only what others hold shows it.
public struct Witness: Sendable {
    /// The file it comes from.
    public let name: String
    private let kind: Kind

    private enum Kind: Sendable {
        case receipt(Receipt)
        case treeHead(String)
    }

    static let maximumBytes = 1 << 20

    /// Reads a receipt (`*.receipt`) or a tree head (a signed note), or all of them in a directory.
    public static func read(_ path: String) throws -> [Witness] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw AuditError("\(path) does not exist", hint: "--witness names a receipt, a tree head, or a directory of them")
        }
        guard isDirectory.boolValue else { return [try Witness(path)] }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        return try names.filter { !$0.hasSuffix(".new") }.map { try Witness("\(path)/\($0)") }
    }

    private init(_ path: String) throws {
        name = (path as NSString).lastPathComponent
        let data: [UInt8]
        do { data = try RegularFile.read(path, atMost: Self.maximumBytes) } catch let error as InputFileError {
            throw AuditError(error.message, hint: error.hint)
        }
        if path.hasSuffix(".receipt") {
            kind = .receipt(try Receipt(wireBytes: data))
        } else {
            kind = .treeHead(String(decoding: data, as: UTF8.self))
        }
    }

    /// Throws what does not hold.
    func check(against entries: [StoredEntry], tree: MerkleTree, consortium: String, logKey: [UInt8]) throws {
        let note: String
        switch kind {
        case .receipt(let receipt):
            _ = try receipt.verify(consortium: consortium, logKey: logKey)
            guard let index = Int(exactly: receipt.index), index < entries.count, entries[index].bytes == receipt.entry else {
                throw AuditError("its entry \(receipt.index) is not in this ledger: it was dropped or changed")
            }
            note = receipt.treeHead
        case .treeHead(let text): note = text
        }
        let head = try SignedTreeHead(note: note, origin: SignedTreeHead.origin(consortium: consortium), key: logKey).head
        guard head.size <= tree.count else { throw AuditError("it knows \(head.size) entries, this ledger has \(tree.count): its end was cut off") }
        guard tree.root(size: head.size) == head.root else { throw AuditError("the first \(head.size) entries are not those that it was signed for") }
    }
}
