import Federation

/// Gathers what sites hold of entries that a restored ledger lacks, until the receipts fill the gap.
///
/// A receipt carries its entry's exact bytes under a tree head that this ledger's key signed. When every entry up to
/// such a head is there, and the tree over them has the head's root, the history is whole again.
public struct LedgerRecovery: Sendable {
    /// The largest tree head that a site has shown.
    public private(set) var newest: SignedTreeHead
    private var heads: [Int: SignedTreeHead]
    private var entries: [UInt64: [UInt8]] = [:]

    /// How many of the missing entries receipts have shown.
    public var shownEntries: Int { entries.count }

    /// Entries that may be missing at most; with more, a backup of last year was restored, and receipts will not help.
    public static let maximumEntries = 100_000

    public init(_ head: SignedTreeHead) {
        newest = head
        heads = [head.head.size: head]
    }

    /// A site has shown another head that the ledger does not extend.
    public mutating func note(_ head: SignedTreeHead) {
        heads[head.head.size] = head
        if head.head.size > newest.head.size { newest = head }
    }

    /// Takes in a receipt of an entry from `count` on; throws where it is not this ledger's.
    public mutating func note(_ receipt: Receipt, ledger: LedgerSnapshot) throws {
        let head = try SignedTreeHead(note: receipt.treeHead, origin: ledger.origin, key: ledger.publicKey)
        guard receipt.index >= UInt64(ledger.count), entries.count < Self.maximumEntries else { return }
        _ = try receipt.verify(under: head)
        entries[receipt.index] = receipt.entry
        note(head)
    }

    /// The entries that bring `ledger` to a head that sites have seen, if all of them are there; the longest such
    /// history.
    public func restorable(_ ledger: LedgerSnapshot) -> [[UInt8]]? {
        var tree = ledger.tree
        var found: [[UInt8]] = []
        var longest: [[UInt8]]?
        while let entry = entries[UInt64(tree.count)] {
            found.append(entry)
            tree.append(leaf: MerkleTree.leafHash(entry))
            if let head = heads[tree.count], head.head.root == tree.root { longest = found }
        }
        return longest
    }

    /// Entries that the ledger has in common with what sites have seen, at most: what stands in it from there on was
    /// written after it was restored, and what sites have seen from there on is lost.
    ///
    /// The newest head has the latest time of its entries; whatever was written after the restoration is later.
    public func keptEntries(_ ledger: Ledger) throws -> Int {
        var count = min(ledger.count, newest.head.size)
        guard let time = newest.head.time else { return count }
        while count > 0, try ledger.entry(at: count - 1).at > time { count -= 1 }
        return count
    }

    /// Whether the ledger has reached all that sites have shown.
    public func isComplete(_ ledger: LedgerSnapshot) -> Bool {
        newest.head.size <= ledger.count && ledger.root(size: newest.head.size) == newest.head.root
    }
}
