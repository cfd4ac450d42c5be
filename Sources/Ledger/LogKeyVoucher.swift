import Federation
import Identity

extension Certificate {
    /// Whether this coordinator certificate vouches for the key that signs the ledger.
    ///
    /// - Parameters:
    ///   - logKey: The raw Ed25519 public key of 32 bytes.
    ///   - signature: The signature of the certificate's key over the statement `Genesis.logKeyStatement(_:)`: DER
    ///     ECDSA.
    /// - Throws: `IdentityError` if the certificate's public key cannot be read.
    public func vouches(for logKey: [UInt8], signature: [UInt8]) throws -> Bool {
        try publicKey.isValid(signature, for: Genesis.logKeyStatement(logKey))
    }
}
