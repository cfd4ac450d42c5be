import Federation
import Identity
import Wire

extension Receipt {
    /// Checks that the ledger contains the entry, under a tree head signed by the log key.
    ///
    /// - Parameters:
    ///   - consortium: The consortium's name.
    ///   - logKey: The raw Ed25519 public key of 32 bytes that signs the ledger.
    /// - Returns: The entry.
    /// - Throws: `LedgerError` if the tree head's signature or the inclusion proof is wrong, `WireError` if the entry
    ///   cannot be decoded.
    public func verify(consortium: String, logKey: [UInt8]) throws -> Entry {
        try verify(
            under: SignedTreeHead(note: treeHead, origin: SignedTreeHead.origin(consortium: consortium), key: logKey)
        )
    }

    /// Checks that the inclusion proof leads from the entry to the root of `head`; returns the entry.
    func verify(under head: SignedTreeHead) throws -> Entry {
        let head = head.head
        guard let position = Int(exactly: index), position < head.size,
            MerkleTree.root(of: MerkleTree.leafHash(entry), at: position, size: head.size, proof: proof) == head.root
        else { throw LedgerError(.tampered, "the receipt's proof does not lead to the tree head") }
        return try Entry(wireBytes: entry)
    }

    /// Checks that this is the receipt of `update`: the same manifest, byte for byte, signed by the certificate in the
    /// entry.
    ///
    /// The signature and the certificate in the entry may be older than those of `update`: if an answer was lost and
    /// the certificate was renewed before the retry, the ledger contains the update as it was first sent.
    ///
    /// - Parameters:
    ///   - consortium: The consortium's name.
    ///   - logKey: The raw Ed25519 public key of 32 bytes that signs the ledger.
    ///   - update: The update as it was sent.
    /// - Throws: `LedgerError` if the receipt is not valid or is for another update, `WireError` if its entry cannot be
    ///   decoded, `IdentityError` if the certificate in the entry is malformed or names nobody.
    public func verify(consortium: String, logKey: [UInt8], update: SignedUpdate) throws {
        guard case .updateAccepted(let accepted) = try verify(consortium: consortium, logKey: logKey).body,
            accepted.update.manifestBytes == update.manifestBytes
        else { throw LedgerError(.tampered, "the receipt is for another update") }
        guard accepted.update != update else { return }
        let signer = try Certificate(der: accepted.update.certificate)
        guard try signer.principal().site == update.manifest.site,
            try signer.publicKey.isValid(accepted.update.signature, for: update.statement)
        else { throw LedgerError(.tampered, "the receipt's entry is not signed by the site of the update") }
    }
}
