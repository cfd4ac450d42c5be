import Federation
import Identity

/// Verifies that a change of the consortium's CA is signed by both the former and the new CA.
public enum AuthoritySuccession {
    /// Verifies a change of the CA.
    ///
    /// - Parameters:
    ///   - rotation: The change.
    ///   - consortium: The consortium's name.
    ///   - authorities: The CAs that are trusted so far; one of them must be the former one.
    /// - Returns: The new CA's certificate.
    /// - Throws: `VerificationError` if the change is not valid.
    @discardableResult
    public static func verify(_ rotation: AuthorityRotation, consortium: String, among authorities: [Certificate])
        throws -> Certificate
    {
        let authority = try Certificate(der: rotation.authority)
        guard authority.isAuthority, authority.digest == rotation.authorityDigest else {
            throw VerificationError("the new CA's certificate is not a CA certificate or does not match its digest")
        }
        guard let former = authorities.first(where: { $0.digest == rotation.former }) else {
            throw VerificationError("the former CA is not one of this ledger's CAs")
        }
        let statement = AuthorityRotation.statement(
            consortium: consortium,
            authority: rotation.authorityDigest,
            former: rotation.former,
            formerEnds: rotation.formerEnds
        )
        guard try former.publicKey.isValid(rotation.formerSignature, for: statement),
            try authority.publicKey.isValid(rotation.newSignature, for: statement)
        else { throw VerificationError("the change of the CA is not signed by both CAs") }
        return authority
    }
}
