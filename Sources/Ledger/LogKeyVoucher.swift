import Federation
import Identity

extension Certificate {
    /// Whether a coordinator's certificate vouches for the key that its ledger is signed with.
    public func vouches(for logKey: [UInt8], signature: [UInt8]) throws -> Bool {
        try publicKey.isValid(signature, for: Founding.logKeyStatement(logKey))
    }
}
