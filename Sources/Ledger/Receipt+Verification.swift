import Federation
import Identity
import Wire

extension Receipt {
    /// Checks that the entry is in the ledger under a tree head signed by the log's key; gives back the entry.
    public func verify(consortium: String, logKey: [UInt8]) throws -> Entry {
        try verify(under: SignedTreeHead(note: treeHead, origin: SignedTreeHead.origin(consortium: consortium), key: logKey))
    }

    /// Checks that the proof leads from the entry to the root of `head`; gives back the entry.
    func verify(under head: SignedTreeHead) throws -> Entry {
        let head = head.head
        guard let position = Int(exactly: index), position < head.size,
            MerkleTree.root(of: MerkleTree.leafHash(entry), at: position, size: head.size, proof: proof) == head.root
        else { throw LedgerError(.tampered, "the receipt's proof does not lead to the tree head") }
        return try Entry(wireBytes: entry)
    }

    /// Checks that this is the receipt of exactly `update`.
    public func verify(consortium: String, logKey: [UInt8], update: SignedUpdate) throws {
        guard case .updateAccepted(let accepted) = try verify(consortium: consortium, logKey: logKey).body,
            accepted.update == update
        else { throw LedgerError(.tampered, "the receipt is for another update") }
    }
}
