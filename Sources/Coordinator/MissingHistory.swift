import Blobs
import Ledger

/// The newest tree head of a site that the ledger does not extend, noted on the disk: nothing is decided while it is
/// there.
package struct MissingHistory: Sendable {
    private let path: String
    private let disk: any Disk

    package init(path: String, disk: any Disk = SystemDisk()) {
        self.path = path
        self.disk = disk
    }

    /// What was noted before a restart, if the ledger still does not extend it.
    package func load(_ ledger: LedgerSnapshot) throws -> LedgerRecovery? {
        guard let bytes = try disk.contents(of: path) else { return nil }
        // The note goes when the loss is declared: an earlier declaration says nothing about it.
        switch ledger.standing(of: String(decoding: bytes, as: UTF8.self), losses: []) {
        case .isBehind(let head): return LedgerRecovery(head)
        case .isForeign(let reason):
            throw CoordinatorError(
                "\(path) cannot be read: \(reason)",
                hint: "it says what this ledger lacks; restore it"
            )
        case .extends, .lossDeclared: return nil
        }
    }

    /// `nil`: nothing is missing any more.
    package func note(_ head: SignedTreeHead?) throws {
        if let head { try disk.store(Array(head.note.utf8), at: path) } else { disk.remove(path) }
    }
}
