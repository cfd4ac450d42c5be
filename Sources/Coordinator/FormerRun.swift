import Blobs
import Federation
import Identity
import Ledger

/// What must be the same as in the coordinator's former run: nothing is signed before it is.
enum FormerRun {
    static func check(
        _ seal: SealedFile,
        _ files: CoordinatorFiles,
        _ ledger: Ledger,
        _ state: ConsortiumState,
        _ roots: TrustRoots
    ) throws {
        // An older copy of the ledger may know fewer CAs: that it is one is what has to be said.
        try checkSeal(seal, files, ledger)
        try checkAuthority(files, state, roots)
    }

    /// The ledger as the former run left it, and what its entries add up to.
    static func ledger(_ files: CoordinatorFiles, consortium: String, key: PrivateKey) throws -> (
        Ledger, ConsortiumState
    ) {
        do {
            return try Ledger.open(consortium: consortium, store: try SQLiteEntryStore(path: files.ledger), key: key)
        } catch let error as LedgerError where error.code == .tampered {
            throw CoordinatorError(
                error.message,
                hint: "restore \(files.ledger) from a backup; kumiai audit verify names what was changed"
            )
        }
    }

    /// Under a CA that the ledger does not name, the rounds from here on could be verified by nobody.
    private static func checkAuthority(_ files: CoordinatorFiles, _ state: ConsortiumState, _ roots: TrustRoots) throws
    {
        guard let current = state.authorities.last else { return }
        let known = Set(state.authorities.map(\.digest))
        guard roots.authorities.contains(where: { $0.digest == current.digest }) else {
            throw CoordinatorError(
                """
                the ledger is that of the CA with SHA-256 \(current.digest.hex), and the configured CA file does not \
                hold it
                """,
                hint: "configure that CA; to change it: kumiai coordinator rotate-ca"
            )
        }
        guard let stranger = roots.authorities.first(where: { !known.contains($0.digest) }) else { return }
        throw CoordinatorError(
            """
            the configured CA file holds a CA that the ledger does not name: \(stranger.subject), SHA-256 \
            \(stranger.digest.hex)
            """,
            hint: "take it out of the file; to change the CA: kumiai coordinator rotate-ca"
        )
    }

    /// A ledger that is shorter than its seal is an older copy: what was acknowledged since is not in it. One whose
    /// file was changed was changed by somebody else.
    private static func checkSeal(_ seal: SealedFile, _ files: CoordinatorFiles, _ ledger: Ledger) throws {
        guard let digest = seal.digest else { return }
        let size: Int
        do { size = try LedgerSeal.size(files.seal, origin: ledger.origin, logKey: ledger.publicKey) } catch let error
            as LedgerError
        {
            throw CoordinatorError(
                "\(files.seal) cannot be used: \(error.message)",
                hint: "restore it; where that cannot be done, move it aside, and sites show what is missing"
            )
        }
        guard size <= ledger.count else {
            throw CoordinatorError(
                """
                the ledger holds \(ledger.count) entries, and the seal beside it was made over \(size): an older copy \
                was put in its place
                """,
                hint:
                    """
                    restore the newest \(files.ledger); if it is lost, move \(files.seal) aside: sites will show what \
                    is missing
                    """
            )
        }
        do {
            try LedgerSeal.verify(
                files.seal,
                digest: digest,
                size: ledger.count,
                origin: ledger.origin,
                logKey: ledger.publicKey
            )
        } catch let error as LedgerError {
            throw CoordinatorError(
                error.message,
                hint:
                    """
                    find out who changed it, and restore \(files.ledger) from a backup; if the change is known and \
                    harmless, move \(files.seal) aside
                    """
            )
        }
    }
}

/// The ledger's file as it lay beside its seal, looked at before it is opened.
struct SealedFile {
    /// `nil`: there is no seal.
    let digest: Digest?

    init(_ files: CoordinatorFiles) throws {
        digest = SystemDisk().byteCount(files.seal) == nil ? nil : try BlobStore.digest(ofFile: files.ledger).digest
    }
}
