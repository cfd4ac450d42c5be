import Ledger

/// Implements the contract of the ledger's database: an append is atomic, and durable when it returns.
final class SimulatedLedgerBackend: LedgerBackend, @unchecked Sendable {
    // Unchecked: only one thread runs a world.
    private let disk: SimulatedDisk
    private let syncs: Bool
    private var stored: [StoredEntry] = []
    private var head: String?
    private var durable: (entries: [StoredEntry], head: String?) = ([], nil)
    /// If set, the next append fails; `written` says whether it is nevertheless stored.
    var failsNext: (written: Bool, Void)?

    init(_ disk: SimulatedDisk, syncs: Bool) {
        self.disk = disk
        self.syncs = syncs
    }

    func count() throws -> Int { stored.count }
    func entries(in range: Range<Int>) throws -> [StoredEntry] {
        guard range.upperBound <= stored.count else { throw LedgerError(.tampered, "entry \(stored.count) is missing") }
        return Array(stored[range])
    }
    func newestTreeHead() throws -> String? { head }

    func append(_ entries: [StoredEntry], from index: Int, treeHead: String) throws {
        try disk.change()
        guard !disk.isFull else { throw LedgerError(.full, "the simulated disk is full") }
        guard index == stored.count else { throw LedgerError(.failed, "entry \(index) is there already") }
        let fate = failsNext
        failsNext = nil
        if let fate, !fate.written { throw LedgerError(.failed, "the write failed") }
        stored += entries
        head = treeHead
        if syncs { durable = (stored, head) }
        if fate != nil { throw LedgerError(.failed, "the write failed, or did it?") }
        // The process may die between the write and its return.
        try disk.change()
    }

    func requireWhole() throws {}

    func close() throws {}

    func powerFailed() {
        (stored, head) = durable
    }

    struct Backup {
        fileprivate let entries: [StoredEntry]
        fileprivate let head: String?
        var count: Int { entries.count }
    }

    var backup: Backup { Backup(entries: stored, head: head) }

    func restore(_ backup: Backup) {
        (stored, head) = (backup.entries, backup.head)
        settle()
    }

    /// Makes everything durable, as a clean starting point.
    func settle() { durable = (stored, head) }
}
