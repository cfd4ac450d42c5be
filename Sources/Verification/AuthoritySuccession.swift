import Federation
import Identity

/// Whether a change of the consortium's CA was made by the CA that is replaced and the one that takes its place.
public enum AuthoritySuccession {
    /// - Parameter authorities: the CAs that are trusted so far; one of them must be the former one.
    /// - Returns: the new CA's certificate.
    @discardableResult
    public static func verify(_ rotation: AuthorityRotation, consortium: String, among authorities: [Certificate])
        throws -> Certificate
    {
        let authority = try Certificate(der: rotation.authority)
        guard authority.isAuthority, authority.digest == rotation.authorityDigest else {
            throw VerificationError("the new CA is no CA, or another one than its digest says")
        }
        guard let former = authorities.first(where: { $0.digest == rotation.former }) else {
            throw VerificationError("the former CA is not one of this ledger")
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
