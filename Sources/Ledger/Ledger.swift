import Federation
import Identity
import Wire

/// The append-only log of a consortium's decisions, under a tree of hashes whose head is signed.
///
/// Not thread-safe: it belongs to the coordinator's one loop.
public final class Ledger {
    public let origin: String
    /// Raw Ed25519 key of the tree heads.
    public let publicKey: [UInt8]
    private let store: any EntryStore
    private let key: PrivateKey
    private var content: Content
    /// The fold of the entries that the store held when it was read last.
    public private(set) var stateAtReading: ConsortiumState

    private struct Content {
        /// The entries' own bytes stay in the store: a ledger grows for years.
        var tree = MerkleTree()
        var head: SignedTreeHead
    }

    /// Opens a ledger; throws where its entries do not follow from one another.
    public init(consortium: String, store: any EntryStore, key: PrivateKey) throws {
        origin = SignedTreeHead.origin(consortium: consortium)
        self.store = store
        self.key = key
        publicKey = try key.publicKey.ed25519Bytes()
        (content, stateAtReading) = try Self.load(store, origin: origin, key: key)
        if let founding = stateAtReading.founding {
            guard founding.consortium == consortium else { throw LedgerError(.tampered, "the ledger is that of \(founding.consortium), not of \(consortium)") }
            guard founding.logKey == publicKey else { throw LedgerError(.badSignature, "the log key is not the one that the ledger was founded with") }
        }
    }

    /// Reads the store again: after a write that failed, nobody knows whether it is there.
    public func reload() throws { (content, stateAtReading) = try Self.load(store, origin: origin, key: key) }

    /// The fold of the entries in memory.
    public func folded() throws -> ConsortiumState {
        var state = ConsortiumState()
        try forEachEntry { try state.apply($0) }
        return state
    }

    /// Reads all entries in order, some at a time.
    public func forEachEntry(_ body: (Entry) throws -> Void) throws {
        for start in stride(from: 0, to: count, by: Self.entriesPerRead) {
            for bytes in try bytes(in: start..<min(count, start + Self.entriesPerRead)) { try body(Entry(wireBytes: bytes)) }
        }
    }

    /// All entries, decoded.
    public func entries() throws -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        try forEachEntry { entries.append($0) }
        return entries
    }

    private static let entriesPerRead = 256

    /// Entries' bytes as they were appended: the tree in memory tells whether the store has changed since.
    private func bytes(in range: Range<Int>) throws -> [[UInt8]] {
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw LedgerError(.failed, "the ledger has \(count) entries, and no entry \(range.upperBound - 1)")
        }
        return try zip(range, store.entries(in: range)).map { index, entry in
            guard entry.isIntact, entry.leaf == content.tree.leaf(at: index) else {
                throw LedgerError(.tampered, "entry \(index) of the ledger was changed")
            }
            return entry.bytes
        }
    }

    private static func load(_ store: any EntryStore, origin: String, key: PrivateKey) throws -> (Content, ConsortiumState) {
        var state = ConsortiumState()
        var tree = MerkleTree()
        var time: Timestamp?
        for (index, entry) in try store.entries().enumerated() {
            guard entry.isIntact else { throw LedgerError(.tampered, "entry \(index) of the ledger was changed") }
            do {
                let decoded = try Entry(wireBytes: entry.bytes)
                try state.apply(decoded)
                time = max(time ?? decoded.at, decoded.at)
            } catch {
                throw LedgerError(.tampered, "entry \(index) of the ledger: \(error)")
            }
            tree.append(leaf: entry.leaf)
        }
        let head = try SignedTreeHead(TreeHead(origin: origin, size: tree.count, root: tree.root, time: time), key: key)
        let note = try store.newestTreeHead()
        guard tree.count == 0 || note != nil else { throw LedgerError(.tampered, "the ledger's tree head is missing") }
        if let note {
            let publicKey = try key.publicKey.ed25519Bytes()
            let newest = try SignedTreeHead(note: note, origin: origin, key: publicKey)
            guard newest.head == head.head || newest.head == TreeHead(origin: origin, size: tree.count, root: tree.root) else {
                throw LedgerError(.tampered, "the ledger's entries are not those of its tree head")
            }
        }
        return (Content(tree: tree, head: head), state)
    }

    public var count: Int { content.tree.count }
    public var head: SignedTreeHead { content.head }
    var tree: MerkleTree { content.tree }

    /// The proof that the ledger begins with its first `size` entries.
    public func consistencyProof(from size: Int) -> [Digest] { content.tree.consistencyProof(from: size) }

    /// The root of the tree when it held `size` entries.
    public func root(size: Int) -> Digest { content.tree.root(size: size) }

    /// Appends entries durably, with a new tree head, all or none.
    ///
    /// The caller has folded them already: what does not follow never gets here.
    public func append(_ entries: [Entry]) throws { try append(bytes: entries.map(\.wireBytes)) }

    /// Puts back entries that the ledger has lost, byte for byte; throws where they do not follow from those that it has.
    public func restore(_ lost: [[UInt8]]) throws {
        var state = try folded()
        for bytes in lost {
            do { try state.apply(try Entry(wireBytes: bytes)) } catch { throw LedgerError(.tampered, "a lost entry does not follow: \(error)") }
        }
        try append(bytes: lost)
        try reload()
    }

    private func append(bytes: [[UInt8]]) throws {
        guard !bytes.isEmpty else { return }
        var nextTree = content.tree
        var time = content.head.head.time
        let newcomers = bytes.map { StoredEntry($0) }
        for entry in newcomers {
            guard entry.bytes.count <= WireLimits.entryBytes else { throw LedgerError(.malformed, "an entry of \(entry.bytes.count) bytes is too long") }
            // What could not be read back would lock the ledger for good.
            guard let at = (try? Entry(wireBytes: entry.bytes))?.at else { throw LedgerError(.malformed, "an entry could not be read back") }
            time = max(time ?? at, at)
            nextTree.append(leaf: entry.leaf)
        }
        let nextHead = try SignedTreeHead(TreeHead(origin: origin, size: nextTree.count, root: nextTree.root, time: time), key: key)
        try store.append(newcomers, from: count, treeHead: nextHead.note)
        content.tree = nextTree
        content.head = nextHead
    }

    /// The receipt of an entry under the newest tree head.
    public func receipt(of index: UInt64) throws -> Receipt {
        let position = Int(clamping: index)
        guard position < count else { throw LedgerError(.failed, "the ledger has \(count) entries, and no entry \(index)") }
        return Receipt(
            index: index, entry: try bytes(in: position..<position + 1)[0], proof: content.tree.inclusionProof(of: position, size: count),
            treeHead: head.note)
    }

    public func entry(at index: Int) throws -> Entry {
        guard index < count else { throw LedgerError(.failed, "the ledger has \(count) entries, and no entry \(index)") }
        return try Entry(wireBytes: bytes(in: index..<index + 1)[0])
    }

    /// Throws where what was acknowledged is not there any more.
    public func requireWhole() throws { try store.requireWhole() }

    /// Closes the file; the ledger is of no use afterwards.
    public func close() throws { try store.close() }
}
