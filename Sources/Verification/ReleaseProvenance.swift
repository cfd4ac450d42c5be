import Federation
import Identity
import Releases

/// Whether a release is the one that a ledger cut: signed, with the ledger's model, and telling of its rounds what the
/// ledger says.
public enum ReleaseProvenance {
    /// - Parameter entries: those of the ledger, from the first on.
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
