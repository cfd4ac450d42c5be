import Federation
import Identity
import Synchronization
import Wire

/// The append-only log of a consortium's decisions: entries under a Merkle tree whose head is signed.
///
/// Any thread may read it. The caller must ensure that only one thread at a time appends.
public final class Ledger: Sendable {
    public let origin: String
    /// The raw Ed25519 public key that tree heads are verified with.
    public let publicKey: [UInt8]
    private let store: any LedgerBackend
    private let key: PrivateKey
    /// Contains no entry bytes, which stay in the store: a ledger grows for years.
    private let content: Mutex<LedgerSnapshot>

    /// Opens a ledger and folds its entries.
    ///
    /// - Parameters:
    ///   - consortium: The consortium's name; a ledger with entries must have been founded with it.
    ///   - store: Where the entries are stored; only this ledger may append to it.
    ///   - key: The log key, Ed25519; a ledger with entries must have been founded with its public half.
    /// - Returns: The ledger and the state that its entries result in.
    /// - Throws: `LedgerError` if the ledger cannot be read, was changed, is another consortium's, or has an entry that
    ///   does not follow from those before it; `IdentityError` if `key` is not an Ed25519 key.
    public static func open(consortium: String, store: any LedgerBackend, key: PrivateKey) throws -> (
        ledger: Ledger, state: ConsortiumState
    ) {
        let origin = SignedTreeHead.origin(consortium: consortium)
        let (snapshot, state) = try load(store, origin: origin, key: key)
        if let genesis = state.genesis {
            guard genesis.consortium == consortium else {
                throw LedgerError(.tampered, "the ledger belongs to \(genesis.consortium), not to \(consortium)")
            }
            guard genesis.logKey == snapshot.publicKey else {
                throw LedgerError(.badSignature, "the log key is not the one that the ledger was founded with")
            }
        }
        return (Ledger(store: store, key: key, snapshot), state)
    }

    /// Opens a ledger without returning its state.
    ///
    /// - Parameters:
    ///   - consortium: The consortium's name; a ledger with entries must have been founded with it.
    ///   - store: Where the entries are stored; only this ledger may append to it.
    ///   - key: The log key, Ed25519; a ledger with entries must have been founded with its public half.
    /// - Throws: What ``open(consortium:store:key:)`` throws.
    public convenience init(consortium: String, store: any LedgerBackend, key: PrivateKey) throws {
        let snapshot = try Self.open(consortium: consortium, store: store, key: key).ledger.snapshot
        self.init(store: store, key: key, snapshot)
    }

    private init(store: any LedgerBackend, key: PrivateKey, _ snapshot: LedgerSnapshot) {
        (origin, publicKey) = (snapshot.origin, snapshot.publicKey)
        self.store = store
        self.key = key
        content = Mutex(snapshot)
    }

    /// Reads the store again, since a failed write leaves it unknown whether the entries were stored.
    ///
    /// - Returns: The fold of the stored entries.
    /// - Throws: `LedgerError` if the store cannot be read or was changed.
    @discardableResult
    public func reload() throws -> ConsortiumState {
        let (snapshot, state) = try Self.load(store, origin: origin, key: key)
        content.withLock { $0 = snapshot }
        return state
    }

    /// Returns the fold of the entries in memory.
    ///
    /// - Throws: `LedgerError` if an entry cannot be read or was changed, `LedgerViolation` if one does not follow from
    ///   those before it.
    public func folded() throws -> ConsortiumState {
        var state = ConsortiumState()
        try forEachEntry { try state.apply($0) }
        return state
    }

    /// Reads all entries in order, in batches.
    ///
    /// - Parameter body: Gets each entry, from the first on.
    /// - Throws: `LedgerError` if an entry cannot be read or was changed, or what `body` throws.
    public func forEachEntry(_ body: (Entry) throws -> Void) throws {
        for start in stride(from: 0, to: count, by: LedgerPages.entries) {
            for bytes in try bytes(in: start..<min(count, start + LedgerPages.entries)) {
                try body(Entry(wireBytes: bytes))
            }
        }
    }

    /// Returns all entries, decoded.
    ///
    /// - Throws: `LedgerError` if an entry cannot be read or was changed.
    public func entries() throws -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        try forEachEntry { entries.append($0) }
        return entries
    }

    /// Returns the bytes of entries; the tree in memory detects whether the store has changed since they were appended.
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

    private static func load(_ store: any LedgerBackend, origin: String, key: PrivateKey) throws -> (
        LedgerSnapshot, ConsortiumState
    ) {
        var state = ConsortiumState()
        var tree = MerkleTree()
        var time: Timestamp?
        try store.forEachEntry { index, entry in
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

    /// The ledger's tree and head at this moment.
    public var snapshot: LedgerSnapshot { content.withLock { $0 } }
    public var count: Int { snapshot.count }
    public var head: SignedTreeHead { snapshot.head }

    /// Returns the proof that this ledger's first `size` entries are the ledger of that size.
    ///
    /// - Parameter size: A number of entries, from 0 to the number in the ledger.
    /// - Returns: The hashes (RFC 9162, section 2.1.4.1); empty if `size` is 0 or the number of entries.
    public func consistencyProof(from size: Int) -> [Digest] { snapshot.consistencyProof(from: size) }

    /// Returns the root that the tree had when it held `size` entries.
    ///
    /// - Parameter size: A number of entries, from 0 to the number in the ledger.
    public func root(size: Int) -> Digest { snapshot.root(size: size) }

    /// Appends entries durably with a new tree head, atomically.
    ///
    /// The caller must already have folded the entries into the state, so that only valid ones are appended.
    ///
    /// - Parameter entries: The entries in order; if there are none, nothing is written.
    /// - Throws: `LedgerError` if an entry is too long or the store cannot be written, `IdentityError` if the tree head
    ///   cannot be signed.
    public func append(_ entries: [Entry]) throws { try append(bytes: entries.map(\.wireBytes)) }

    /// Restores entries that the ledger has lost, byte for byte.
    ///
    /// - Parameter lost: The bytes of the entries that follow the ledger's last one.
    /// - Returns: The fold of all entries.
    /// - Throws: `LedgerError` if they do not follow from the entries that the ledger has, or cannot be written.
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
        let newEntries = bytes.map { StoredEntry($0) }
        for entry in newEntries {
            guard entry.bytes.count <= WireLimits.entryBytes else {
                throw LedgerError(.malformed, "an entry of \(entry.bytes.count) bytes is too long")
            }
            // An entry that cannot be read back would make the whole ledger unreadable for ever.
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
        try store.append(newEntries, from: former.count, treeHead: nextHead.note)
        content.withLock { $0 = LedgerSnapshot(origin: origin, publicKey: publicKey, tree: nextTree, head: nextHead) }
    }

    /// Returns the receipt of an entry under the newest tree head.
    ///
    /// - Parameter index: The entry's position, from 0.
    /// - Throws: `LedgerError` if there is no such entry or it cannot be read.
    public func receipt(of index: UInt64) throws -> Receipt { try receipt(of: index, under: snapshot) }

    /// Returns the receipt of an entry under the tree head of `snapshot`, which must be a snapshot of this ledger.
    ///
    /// - Parameters:
    ///   - index: The entry's position, from 0.
    ///   - snapshot: The snapshot whose tree head the proof leads to.
    /// - Throws: `LedgerError` if the snapshot has no such entry or it cannot be read.
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

    /// Returns one entry, decoded.
    ///
    /// - Parameter index: The entry's position, from 0.
    /// - Throws: `LedgerError` if there is no such entry, or it cannot be read or was changed.
    public func entry(at index: Int) throws -> Entry {
        guard index < count else {
            throw LedgerError(.failed, "the ledger has \(count) entries, and no entry \(index)")
        }
        return try Entry(wireBytes: bytes(in: index..<index + 1)[0])
    }

    /// Checks that acknowledged entries are still stored.
    ///
    /// - Throws: `LedgerError` if the storage was removed or replaced.
    public func requireWhole() throws { try store.requireWhole() }

    /// Closes the file; the ledger must not be used afterwards.
    ///
    /// - Throws: `LedgerError` or the store's error if the file cannot be closed.
    public func close() throws { try store.close() }
}
