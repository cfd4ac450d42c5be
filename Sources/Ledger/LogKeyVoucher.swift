import Federation
import Identity

extension Certificate {
    /// Whether this coordinator certificate vouches for the key that signs the ledger.
    ///
    /// - Throws: `IdentityError` if the certificate's public key cannot be read.
    public func vouches(for logKey: [UInt8], signature: [UInt8]) throws -> Bool {
        try publicKey.isValid(signature, for: Genesis.logKeyStatement(logKey))
    }
}
