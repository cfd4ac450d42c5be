import Federation

/// An entry's bytes, and the leaf hash that was stored with them.
public struct StoredEntry: Equatable, Sendable {
    public let bytes: [UInt8]
    public let leaf: Digest

    public init(bytes: [UInt8], leaf: Digest) {
        self.bytes = bytes
        self.leaf = leaf
    }

    public init(_ bytes: [UInt8]) { self.init(bytes: bytes, leaf: MerkleTree.leafHash(bytes)) }
    /// Tells a changed entry from its neighbours, which the root of the tree alone cannot.
    public var isIntact: Bool { MerkleTree.leafHash(bytes) == leaf }
}

/// Where a ledger's entries lie. Small, because another database comes later.
public protocol EntryStore: Sendable {
    /// All entries, in order.
    func entries() throws -> [StoredEntry]
    /// The entries at these positions, in order; an error where one is missing.
    func entries(in range: Range<Int>) throws -> [StoredEntry]
    /// The newest signed tree head; `nil` for an empty ledger.
    func newestTreeHead() throws -> String?
    /// Appends entries from `index` on and replaces the tree head, durably and all at once.
    func append(_ entries: [StoredEntry], from index: Int, treeHead: String) throws
    /// Throws where it is known that what was appended is not there any more. Cheap: it is asked before every answer.
    func requireWhole() throws
    func close() throws
}
