import Federation

/// Where a ledger's entries lie. Small, because another database comes later.
public protocol EntryStore: Sendable {
    /// All entries' bytes, in order.
    func entries() throws -> [[UInt8]]
    /// The newest signed tree head; `nil` for an empty ledger.
    func newestTreeHead() throws -> String?
    /// Appends entries from `index` on and replaces the tree head, durably and all at once.
    func append(_ entries: [[UInt8]], from index: Int, treeHead: String) throws
    func close() throws
}
