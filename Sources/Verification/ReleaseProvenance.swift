import Federation
import Identity
import Releases

/// Verifies that a release is the one recorded in a ledger: signed, with the ledger's model, and with a lineage that
/// matches the ledger's rounds.
public enum ReleaseProvenance {
    /// Verifies a release.
    ///
    /// - Parameters:
    ///   - release: The release.
    ///   - cutting: The entry that cut it.
    ///   - entries: The ledger's entries, from the first on.
    ///   - roots: The trusted CAs.
    /// - Throws: `VerificationError`, `ReleaseError` or `IdentityError` if the release is not valid.
    public static func verify(
        _ release: ReleaseDirectory,
        _ cutting: ReleaseCutting,
        entries: [Entry],
        roots: TrustRoots
    ) throws {
        _ = try release.verify(roots: roots)
        guard try release.summary().model == cutting.model.digest.hex else {
            throw VerificationError("its model is not the one in the ledger")
        }
        let lineage = try Lineage(entries: entries, of: cutting.name, treeHead: release.treeHead())
        guard try release.lineage() == lineage.json else {
            throw VerificationError("its lineage.json is not what the ledger says")
        }
    }
}
