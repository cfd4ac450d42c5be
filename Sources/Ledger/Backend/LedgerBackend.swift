import Federation

/// An entry's bytes, and the leaf hash that is stored with them.
public struct StoredEntry: Equatable, Sendable {
    public let bytes: [UInt8]
    public let leaf: Digest

    /// Makes an entry as a backend has read it.
    ///
    /// - Parameters:
    ///   - bytes: The entry's bytes.
    ///   - leaf: The leaf hash that was stored with them, which need not match; see ``isIntact``.
    public init(bytes: [UInt8], leaf: Digest) {
        self.bytes = bytes
        self.leaf = leaf
    }

    /// Makes an entry to store, and computes its leaf hash.
    ///
    /// - Parameter bytes: The entry's bytes.
    public init(_ bytes: [UInt8]) { self.init(bytes: bytes, leaf: MerkleTree.leafHash(bytes)) }
    /// Whether the bytes match the stored leaf hash. This identifies the entry that was changed, which the tree's root
    /// alone cannot.
    public var isIntact: Bool { MerkleTree.leafHash(bytes) == leaf }
}

/// Where a ledger's entries are stored. The contract is small, so that another database is easy to add; one suite of
/// tests runs against every backend.
public protocol LedgerBackend: Sendable {
    /// Returns the number of entries.
    ///
    /// - Throws: `LedgerError` if it cannot be read.
    func count() throws -> Int
    /// Returns the entries at these positions, in order.
    ///
    /// - Parameter range: The positions, from 0; all of them must exist.
    /// - Throws: `LedgerError` if an entry is missing or cannot be read.
    func entries(in range: Range<Int>) throws -> [StoredEntry]
    /// Returns the newest signed tree head; `nil` for an empty ledger.
    ///
    /// - Throws: `LedgerError` if it cannot be read.
    func newestTreeHead() throws -> String?
    /// Appends entries starting at `index` and replaces the tree head, durably and atomically.
    ///
    /// - Parameters:
    ///   - entries: The entries, in order.
    ///   - index: The position of the first one: the number of entries so far.
    ///   - treeHead: The signed note of the tree with these entries.
    /// - Throws: `LedgerError` if they cannot be written.
    func append(_ entries: [StoredEntry], from index: Int, treeHead: String) throws
    /// Checks that what was appended is still stored. Must be cheap, because it is called before every answer.
    ///
    /// - Throws: `LedgerError` if the storage was removed or replaced.
    func requireWhole() throws
    /// Closes the storage, which must not be used afterwards.
    ///
    /// - Throws: `LedgerError` or the database's error if it cannot be closed.
    func close() throws
}

extension LedgerBackend {
    /// Calls `body` with all entries and their positions, in order; some are in memory at a time.
    ///
    /// - Parameter body: Gets each entry's position, from 0, and the entry.
    /// - Throws: `LedgerError` if an entry is missing or cannot be read, or what `body` throws.
    public func forEachEntry(_ body: (Int, StoredEntry) throws -> Void) throws {
        let count = try count()
        for start in stride(from: 0, to: count, by: LedgerPages.entries) {
            let page = start..<min(count, start + LedgerPages.entries)
            for (index, entry) in zip(page, try entries(in: page)) { try body(index, entry) }
        }
    }
}

/// How a ledger is read.
enum LedgerPages {
    /// Entries of a page.
    static let entries = 256
}
