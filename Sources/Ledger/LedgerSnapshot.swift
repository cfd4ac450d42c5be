import Federation
import Identity

/// A ledger at one moment: its Merkle tree and its signed head, which is all that can be proved without reading
/// entries.
public struct LedgerSnapshot: Sendable {
    public let origin: String
    /// The raw Ed25519 public key that tree heads are verified with.
    public let publicKey: [UInt8]
    let tree: MerkleTree
    public let head: SignedTreeHead

    public var count: Int { tree.count }

    /// Returns the proof that this ledger's first `size` entries are the ledger of that size.
    public func consistencyProof(from size: Int) -> [Digest] { tree.consistencyProof(from: size) }

    /// Returns the root that the tree had when it held `size` entries.
    public func root(size: Int) -> Digest { tree.root(size: size) }

    /// Whether the ledger holds the receipt's entry at the receipt's index.
    public func holds(_ receipt: Receipt) -> Bool {
        guard let index = Int(exactly: receipt.index), index < count else { return false }
        return tree.leaf(at: index) == MerkleTree.leafHash(receipt.entry)
    }
}
