import Federation
import Identity
import Synchronization
import Wire

/// The append-only log of a consortium's decisions, under a tree of hashes whose head is signed.
///
/// Any thread may read it. One at a time appends: the caller sees to that.
public final class Ledger: Sendable {
    public let origin: String
    /// Raw Ed25519 key of the tree heads.
    public let publicKey: [UInt8]
    private let store: any EntryStore
    private let key: PrivateKey
    /// The entries' own bytes stay in the store: a ledger grows for years.
    private let content: Mutex<LedgerSnapshot>

    /// Opens a ledger and folds its entries; throws where they do not follow from one another.
    public static func open(consortium: String, store: any EntryStore, key: PrivateKey) throws -> (
        ledger: Ledger, state: ConsortiumState
    ) {
        let origin = SignedTreeHead.origin(consortium: consortium)
        let (snapshot, state) = try load(store, origin: origin, key: key)
        if let founding = state.founding {
            guard founding.consortium == consortium else {
                throw LedgerError(.tampered, "the ledger is that of \(founding.consortium), not of \(consortium)")
            }
            guard founding.logKey == snapshot.publicKey else {
                throw LedgerError(.badSignature, "the log key is not the one that the ledger was founded with")
            }
        }
        return (Ledger(store: store, key: key, snapshot), state)
    }

    /// Opens a ledger whose state nobody asks for.
    public convenience init(consortium: String, store: any EntryStore, key: PrivateKey) throws {
        let snapshot = try Self.open(consortium: consortium, store: store, key: key).ledger.snapshot
        self.init(store: store, key: key, snapshot)
    }

    private init(store: any EntryStore, key: PrivateKey, _ snapshot: LedgerSnapshot) {
        (origin, publicKey) = (snapshot.origin, snapshot.publicKey)
        self.store = store
        self.key = key
        content = Mutex(snapshot)
    }

    /// Reads the store again: after a write that failed, nobody knows whether it is there. Returns the fold of what it
    /// holds.
    @discardableResult
    public func reload() throws -> ConsortiumState {
        let (snapshot, state) = try Self.load(store, origin: origin, key: key)
        content.withLock { $0 = snapshot }
        return state
    }

    /// The fold of the entries in memory.
    public func folded() throws -> ConsortiumState {
        var state = ConsortiumState()
        try forEachEntry { try state.apply($0) }
        return state
    }

    /// Reads all entries in order, some at a time.
    public func forEachEntry(_ body: (Entry) throws -> Void) throws {
        for start in stride(from: 0, to: count, by: Self.entriesPerRead) {
            for bytes in try bytes(in: start..<min(count, start + Self.entriesPerRead)) {
                try body(Entry(wireBytes: bytes))
            }
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
        let tree = snapshot.tree
        return try zip(range, store.entries(in: range)).map { index, entry in
            guard entry.isIntact, entry.leaf == tree.leaf(at: index) else {
                throw LedgerError(.tampered, "entry \(index) of the ledger was changed")
            }
            return entry.bytes
        }
    }

    private static func load(_ store: any EntryStore, origin: String, key: PrivateKey) throws -> (
        LedgerSnapshot, ConsortiumState
    ) {
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
        let publicKey = try key.publicKey.ed25519Bytes()
        let note = try store.newestTreeHead()
        guard tree.count == 0 || note != nil else { throw LedgerError(.tampered, "the ledger's tree head is missing") }
        if let note {
            let newest = try SignedTreeHead(note: note, origin: origin, key: publicKey)
            guard newest.head == head.head || newest.head == TreeHead(origin: origin, size: tree.count, root: tree.root)
            else {
                throw LedgerError(.tampered, "the ledger's entries are not those of its tree head")
            }
        }
        return (LedgerSnapshot(origin: origin, publicKey: publicKey, tree: tree, head: head), state)
    }

    /// The ledger as it is now.
    public var snapshot: LedgerSnapshot { content.withLock { $0 } }
    public var count: Int { snapshot.count }
    public var head: SignedTreeHead { snapshot.head }

    /// The proof that the ledger begins with its first `size` entries.
    public func consistencyProof(from size: Int) -> [Digest] { snapshot.consistencyProof(from: size) }

    /// The root of the tree when it held `size` entries.
    public func root(size: Int) -> Digest { snapshot.root(size: size) }

    /// Appends entries durably, with a new tree head, all or none.
    ///
    /// The caller has folded them already: what does not follow never gets here.
    public func append(_ entries: [Entry]) throws { try append(bytes: entries.map(\.wireBytes)) }

    /// Puts back entries that the ledger has lost, byte for byte; throws where they do not follow from those that it
    /// has. Returns the fold of all.
    @discardableResult
    public func restore(_ lost: [[UInt8]]) throws -> ConsortiumState {
        var state = try folded()
        for bytes in lost {
            do { try state.apply(try Entry(wireBytes: bytes)) } catch {
                throw LedgerError(.tampered, "a lost entry does not follow: \(error)")
            }
        }
        try append(bytes: lost)
        return try reload()
    }

    private func append(bytes: [[UInt8]]) throws {
        guard !bytes.isEmpty else { return }
        let former = snapshot
        var nextTree = former.tree
        var time = former.head.head.time
        let newcomers = bytes.map { StoredEntry($0) }
        for entry in newcomers {
            guard entry.bytes.count <= WireLimits.entryBytes else {
                throw LedgerError(.malformed, "an entry of \(entry.bytes.count) bytes is too long")
            }
            // What could not be read back would lock the ledger for good.
            guard let at = (try? Entry(wireBytes: entry.bytes))?.at else {
                throw LedgerError(.malformed, "an entry could not be read back")
            }
            time = max(time ?? at, at)
            nextTree.append(leaf: entry.leaf)
        }
        let nextHead = try SignedTreeHead(
            TreeHead(origin: origin, size: nextTree.count, root: nextTree.root, time: time),
            key: key
        )
        try store.append(newcomers, from: former.count, treeHead: nextHead.note)
        content.withLock { $0 = LedgerSnapshot(origin: origin, publicKey: publicKey, tree: nextTree, head: nextHead) }
    }

    /// The receipt of an entry under the newest tree head.
    public func receipt(of index: UInt64) throws -> Receipt { try receipt(of: index, under: snapshot) }

    /// The receipt of an entry under the tree head of `snapshot`, which is one of this ledger.
    public func receipt(of index: UInt64, under snapshot: LedgerSnapshot) throws -> Receipt {
        let position = Int(clamping: index)
        guard position < snapshot.count else {
            throw LedgerError(.failed, "the ledger has \(snapshot.count) entries, and no entry \(index)")
        }
        return Receipt(
            index: index,
            entry: try bytes(in: position..<position + 1)[0],
            proof: snapshot.tree.inclusionProof(of: position, size: snapshot.count),
            treeHead: snapshot.head.note
        )
    }

    public func entry(at index: Int) throws -> Entry {
        guard index < count else {
            throw LedgerError(.failed, "the ledger has \(count) entries, and no entry \(index)")
        }
        return try Entry(wireBytes: bytes(in: index..<index + 1)[0])
    }

    /// Throws where what was acknowledged is not there any more.
    public func requireWhole() throws { try store.requireWhole() }

    /// Closes the file; the ledger is of no use afterwards.
    public func close() throws { try store.close() }
}
