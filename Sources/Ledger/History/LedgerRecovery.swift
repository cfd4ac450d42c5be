import Federation

/// Collects, from the sites' receipts, the entries that a restored ledger lacks.
///
/// A receipt contains its entry's exact bytes under a tree head that this ledger's key signed. When every entry up to
/// such a head is present, and the tree over them has the head's root, the history is complete again.
public struct LedgerRecovery: Sendable {
    /// The longest tree head that a site has shown.
    public private(set) var newest: SignedTreeHead
    private var heads: [Int: SignedTreeHead]
    private var entries: [UInt64: [UInt8]] = [:]

    /// The number of missing entries that receipts have shown.
    public var shownEntries: Int { entries.count }

    /// The largest number of entries to collect. If more are missing, the backup is very old and receipts will not
    /// help.
    public static let maximumEntries = 100_000

    /// Starts to collect the entries up to a head that the ledger does not extend.
    ///
    /// - Parameter head: The head that a site has shown, signed by this ledger's key.
    public init(_ head: SignedTreeHead) {
        newest = head
        heads = [head.head.size: head]
    }

    /// Adds another head that a site has shown and that the ledger does not extend.
    ///
    /// - Parameter head: The head, signed by this ledger's key.
    public mutating func add(_ head: SignedTreeHead) {
        heads[head.head.size] = head
        if head.head.size > newest.head.size { newest = head }
    }

    /// Adds the receipt of an entry that the ledger lacks; ignores others.
    ///
    /// - Parameters:
    ///   - receipt: The receipt, which a site has shown.
    ///   - ledger: The ledger as it is now, without the entry.
    /// - Throws: `LedgerError` if the receipt does not belong to this ledger, `WireError` if its entry cannot be
    ///   decoded.
    public mutating func add(_ receipt: Receipt, ledger: LedgerSnapshot) throws {
        let head = try SignedTreeHead(note: receipt.treeHead, origin: ledger.origin, key: ledger.publicKey)
        guard receipt.index >= UInt64(ledger.count), entries.count < Self.maximumEntries else { return }
        _ = try receipt.verify(under: head)
        entries[receipt.index] = receipt.entry
        add(head)
    }

    /// Returns the entries that extend `ledger` to the longest head that can be reached without a gap; `nil` if none
    /// can.
    ///
    /// - Parameter ledger: The ledger as it is now.
    /// - Returns: The bytes of the entries, in order.
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

    /// Returns the largest number of entries that the ledger can share with what sites have seen. Entries after them
    /// were written after the restore, and what sites have seen after them is lost.
    ///
    /// The newest head contains the latest time of its entries, and entries written after the restore are later.
    ///
    /// - Parameter ledger: The restored ledger, which is read from its end.
    /// - Throws: `LedgerError` if an entry cannot be read.
    public func keptEntries(_ ledger: Ledger) throws -> Int {
        var count = min(ledger.count, newest.head.size)
        guard let time = newest.head.time else { return count }
        while count > 0, try ledger.entry(at: count - 1).at > time { count -= 1 }
        return count
    }

    /// Whether the ledger has reached the longest head that sites have shown.
    ///
    /// - Parameter ledger: The ledger as it is now.
    public func isComplete(_ ledger: LedgerSnapshot) -> Bool {
        newest.head.size <= ledger.count && ledger.root(size: newest.head.size) == newest.head.root
    }
}
