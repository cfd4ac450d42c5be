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
    ///
    /// - Parameter size: A number of entries, from 0 to the number in the ledger.
    /// - Returns: The hashes (RFC 9162, section 2.1.4.1); empty if `size` is 0 or the number of entries.
    public func consistencyProof(from size: Int) -> [Digest] { tree.consistencyProof(from: size) }

    /// Returns the root that the tree had when it held `size` entries.
    ///
    /// - Parameter size: A number of entries, from 0 to the number in the ledger.
    public func root(size: Int) -> Digest { tree.root(size: size) }

    /// Whether the ledger holds the receipt's entry at the receipt's index.
    ///
    /// - Parameter receipt: The receipt; its proof and its tree head are not checked.
    public func holds(_ receipt: Receipt) -> Bool {
        guard let index = Int(exactly: receipt.index), index < count else { return false }
        return tree.leaf(at: index) == MerkleTree.leafHash(receipt.entry)
    }
}
