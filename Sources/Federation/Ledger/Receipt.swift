/// The coordinator's proof that an entry is in the ledger: its inclusion under a signed tree head (RFC 6962, section
/// 2.1.1).
public struct Receipt: Equatable, Sendable {
    public let index: UInt64
    /// The entry's exact bytes.
    public let entry: [UInt8]
    public let proof: [Digest]
    /// A signed note.
    public let treeHead: String

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - index: The index of the entry, from 0.
    ///   - entry: The entry's exact bytes, whose leaf hash is the start of the proof.
    ///   - proof: The inclusion proof, from the leaf's sibling to the root.
    ///   - treeHead: A signed note of a tree with more than `index` entries.
    public init(index: UInt64, entry: [UInt8], proof: [Digest], treeHead: String) {
        self.index = index
        self.entry = entry
        self.proof = proof
        self.treeHead = treeHead
    }
}
