import Blobs
import Ledger

/// The newest tree head seen by a site that this ledger does not extend, stored on the disk. Nothing is decided while
/// it is there.
package struct MissingHistoryFile: Sendable {
    private let path: String
    private let disk: any Disk

    package init(path: String, disk: any Disk = SystemDisk()) {
        self.path = path
        self.disk = disk
    }

    /// Returns what was stored before a restart, if the ledger still does not extend it.
    package func load(_ ledger: LedgerSnapshot) throws -> LedgerRecovery? {
        guard let bytes = try disk.contents(of: path) else { return nil }
        // The tree head is removed when a loss is declared, so earlier declarations do not apply to it.
        switch ledger.standing(of: String(decoding: bytes, as: UTF8.self), losses: []) {
        case .isBehind(let head): return LedgerRecovery(head)
        case .isForeign(let reason):
            throw CoordinatorError(
                "\(path) cannot be read: \(reason)",
                hint: "restore it: it records what this ledger lacks"
            )
        case .extends, .lossDeclared: return nil
        }
    }

    /// Stores the tree head; `nil` removes it, because nothing is missing any more.
    package func store(_ head: SignedTreeHead?) throws {
        if let head { try disk.store(Array(head.note.utf8), at: path) } else { disk.remove(path) }
    }
}
