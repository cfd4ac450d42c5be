/// The coordinator's proof that an entry is in the ledger: its inclusion under a signed tree head (RFC 6962, section
/// 2.1.1).
public struct Receipt: Equatable, Sendable {
    public let index: UInt64
    /// The entry's exact bytes.
    public let entry: [UInt8]
    public let proof: [Digest]
    /// A signed note.
    public let treeHead: String

    public init(index: UInt64, entry: [UInt8], proof: [Digest], treeHead: String) {
        self.index = index
        self.entry = entry
        self.proof = proof
        self.treeHead = treeHead
    }
}
