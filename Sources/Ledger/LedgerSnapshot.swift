import Federation
import Identity

/// A ledger as of one moment: its tree of hashes and its signed head. All that can be said of it without reading an
/// entry.
public struct LedgerSnapshot: Sendable {
    public let origin: String
    /// Raw Ed25519 key of the tree heads.
    public let publicKey: [UInt8]
    let tree: MerkleTree
    public let head: SignedTreeHead

    public var count: Int { tree.count }

    /// The proof that the ledger begins with its first `size` entries.
    public func consistencyProof(from size: Int) -> [Digest] { tree.consistencyProof(from: size) }

    /// The root of the tree when it held `size` entries.
    public func root(size: Int) -> Digest { tree.root(size: size) }

    /// Whether the receipt's entry stands in the ledger at its place.
    public func holds(_ receipt: Receipt) -> Bool {
        guard let index = Int(exactly: receipt.index), index < count else { return false }
        return tree.leaf(at: index) == MerkleTree.leafHash(receipt.entry)
    }
}
