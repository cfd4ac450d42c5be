import Blobs
import Federation
import Identity
import Ledger

/// Checks that a ledger's directory is as the coordinator's last run left it. Nothing is signed before these checks
/// pass.
enum StartupChecks {
    /// - Parameter authority: The file of the CAs that the configuration names.
    static func check(
        _ seal: SealedFile,
        _ files: CoordinatorFiles,
        _ ledger: Ledger,
        _ state: ConsortiumState,
        _ roots: TrustRoots,
        authority: String
    ) throws {
        // Check the seal first: an older copy may also name fewer CAs, and the message should be that it is an older
        // copy.
        try checkSeal(seal, files, ledger)
        try checkAuthority(state, roots, authority)
    }

    /// Opens the ledger, and returns it with the state that its entries result in.
    static func ledger(_ files: CoordinatorFiles, consortium: String, key: PrivateKey) throws -> (
        Ledger, ConsortiumState
    ) {
        do {
            return try Ledger.open(consortium: consortium, store: try SQLiteLedger(path: files.ledger), key: key)
        } catch let error as LedgerError where error.code == .tampered {
            throw CoordinatorError(
                error.message,
                hint: "restore \(files.ledger) from a backup; kumiai audit verify shows what was changed"
            )
        }
    }

    /// With a CA that the ledger does not name, nobody could verify the rounds from here on.
    private static func checkAuthority(_ state: ConsortiumState, _ roots: TrustRoots, _ authority: String) throws {
        guard let current = state.authorities.last else { return }
        let known = Set(state.authorities.map(\.digest))
        guard roots.authorities.contains(where: { $0.digest == current.digest }) else {
            throw CoordinatorError(
                """
                the ledger names the CA with SHA-256 \(current.digest.hex), but the configured CA file does not \
                contain it
                """,
                hint: "configure that CA; to change it: kumiai coordinator rotate-ca",
                file: authority
            )
        }
        guard let stranger = roots.authorities.first(where: { !known.contains($0.digest) }) else { return }
        throw CoordinatorError(
            """
            the configured CA file contains a CA that the ledger does not name: \(stranger.subject), SHA-256 \
            \(stranger.digest.hex)
            """,
            hint: "remove it from the file; to change the CA: kumiai coordinator rotate-ca",
            file: authority
        )
    }

    /// A ledger that is shorter than its seal says is an older copy, without the entries acknowledged since. A ledger
    /// whose file does not match its seal was changed by something other than the coordinator.
    private static func checkSeal(_ seal: SealedFile, _ files: CoordinatorFiles, _ ledger: Ledger) throws {
        guard let digest = seal.digest else { return }
        let size: Int
        do { size = try LedgerSeal.size(files.seal, origin: ledger.origin, logKey: ledger.publicKey) } catch let error
            as LedgerError
        {
            throw CoordinatorError(
                "\(files.seal) cannot be used: \(error.message)",
                hint: "restore it; if that is impossible, move it aside: sites will show what is missing"
            )
        }
        guard size <= ledger.count else {
            throw CoordinatorError(
                """
                the ledger holds \(ledger.count) entries, but the seal beside it covers \(size): an older copy \
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

/// The ledger's file and its seal, read before the ledger is opened.
struct SealedFile {
    /// `nil` if there is no seal.
    let digest: Digest?

    init(_ files: CoordinatorFiles) throws {
        digest = SystemDisk().byteCount(files.seal) == nil ? nil : try BlobStore.digest(ofFile: files.ledger).digest
    }
}
