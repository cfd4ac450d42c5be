import Federation
import Identity

/// Verifies that an update's manifest was signed by the site that it names.
public enum UpdateSignature {
    /// Verifies the certificate that came with the update, without intermediates, as an auditor will have it, and the
    /// signature.
    ///
    /// - Parameters:
    ///   - update: The update, with its certificate in DER.
    ///   - consortium: The name of the consortium that the signer must belong to.
    ///   - roots: The trusted CAs.
    ///   - time: The time at which the certificate must be valid; for an entry of the ledger, the time of the entry.
    /// - Returns: The principal that signed.
    /// - Throws: `IdentityError` if the certificate is not valid at `time`; `VerificationError` if it belongs to
    ///   another principal, or the signature is wrong or not ECDSA P-256.
    @discardableResult
    public static func verify(_ update: SignedUpdate, consortium: String, roots: TrustRoots, at time: Timestamp) throws
        -> Principal
    {
        let site = update.manifest.site
        let certificate = try Certificate(der: update.certificate)
        let signer = try roots.verify(certificate, at: time)
        guard signer.site == site, signer.consortium == consortium else {
            throw VerificationError("an update of \(site) was signed by \(signer)")
        }
        let key = try certificate.publicKey
        guard key.isP256, key.isValid(update.signature, for: update.statement) else {
            throw VerificationError("the signature of \(site) is wrong, or not ECDSA P-256")
        }
        return signer
    }
}
