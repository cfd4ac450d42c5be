import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Verification

/// Records in the ledger that the consortium's certificate authority changes. The coordinator must be stopped.
package struct AuthorityChange {
    private let configuration: CoordinatorConfiguration

    package init(_ configuration: CoordinatorConfiguration) { self.configuration = configuration }

    /// Appends the change to the ledger.
    ///
    /// - Parameters:
    ///   - rotation: The change, signed by both authorities.
    ///   - now: The time of the entry.
    /// - Returns: The index of the new entry.
    /// - Throws: `CoordinatorError` if the coordinator is running, if the ledger is not as the last run left it, or if
    ///   the change is not valid.
    package func record(_ rotation: AuthorityRotation, at now: Timestamp) throws -> UInt64 {
        let files = CoordinatorFiles(directory: configuration.dataDirectory)
        let lock: DirectoryLock
        do { lock = try DirectoryLock(files.directory) } catch let error as BlobError where error.code == .busy {
            throw CoordinatorError("the coordinator is running", hint: "stop it, record the change, and start it again")
        }
        defer { withExtendedLifetime(lock) {} }
        let key = try IdentityFile.key(files.logKey)
        let seal = try SealedFile(files)
        let (ledger, state) = try StartupChecks.ledger(files, consortium: configuration.consortium, key: key)
        let authorities = try IdentityFile.certificates(configuration.authority)
        // The same checks as at a start: never append to an older copy, or to a ledger that lacks entries that sites
        // have seen.
        try StartupChecks.check(
            seal,
            files,
            ledger,
            state,
            TrustRoots(authorities),
            authority: configuration.authority
        )
        guard try MissingHistoryFile(path: files.missingHistory).load(ledger.snapshot) == nil else {
            throw CoordinatorError(
                "the ledger lacks entries that sites have seen: nothing can be added to it",
                hint:
                    """
                    start the coordinator; when the receipts of its sites have filled the gap, or the loss was \
                    declared, change the CA
                    """
            )
        }
        guard state.authorities.last?.digest != rotation.authorityDigest else {
            throw CoordinatorError(
                "that CA is already in force according to the ledger",
                hint: "this change is already recorded: start the coordinator"
            )
        }
        try check(rotation, former: authorities)
        let principal = try IdentityFile.certificates(configuration.certificate)[0].principal()
        var machine = CoordinatorMachine(state: state)
        let effects: [CoordinatorMachine.Effect]
        do { effects = try machine.rotate(rotation.asked(by: principal.path), at: now) } catch {
            throw CoordinatorError("the change of the CA cannot be recorded: it \(error.message)")
        }
        // Appending changes the ledger's file, so the seal no longer matches it.
        SystemDisk().remove(files.seal)
        try ledger.append(effects.compactMap { if case .record(let entry) = $0 { entry } else { nil } })
        let index = UInt64(ledger.count - 1)
        try ledger.close()
        try LedgerSeal.write(to: files.seal, ledger: files.ledger, size: ledger.count, origin: ledger.origin, key: key)
        return index
    }

    private func check(_ rotation: AuthorityRotation, former authorities: [Certificate]) throws {
        guard authorities.contains(where: { $0.digest == rotation.former }) else {
            throw CoordinatorError(
                "the CA to be replaced is not in \(configuration.authority)",
                hint: "record the change before you edit the file",
                file: configuration.authority
            )
        }
        do {
            try AuthoritySuccession.verify(rotation, consortium: configuration.consortium, among: authorities)
        } catch let error as VerificationError {
            throw CoordinatorError("\(error) of \(configuration.consortium)", hint: "create it with kumiai pki endorse")
        }
    }
}

extension AuthorityRotation {
    fileprivate func asked(by name: String) -> AuthorityRotation {
        AuthorityRotation(
            authority: authority,
            authorityDigest: authorityDigest,
            former: former,
            formerEnds: formerEnds,
            formerSignature: formerSignature,
            newSignature: newSignature,
            rotatedBy: name
        )
    }

    /// Creates a change of the certificate authority, signed by both authorities.
    ///
    /// - Parameters:
    ///   - consortium: The consortium's name.
    ///   - former: The authority that is replaced.
    ///   - new: The authority that takes its place.
    ///   - formerEnds: The time from which certificates of the former authority are no longer accepted.
    ///   - name: Who makes the change.
    /// - Returns: The signed change, to be recorded with ``AuthorityChange``.
    /// - Throws: `IdentityError` if signing fails.
    package static func make(
        consortium: String,
        former: CertificateAuthority,
        new: CertificateAuthority,
        formerEnds: Timestamp,
        by name: String
    ) throws -> AuthorityRotation {
        let statement = statement(
            consortium: consortium,
            authority: new.certificate.digest,
            former: former.certificate.digest,
            formerEnds: formerEnds
        )
        return AuthorityRotation(
            authority: new.certificate.der,
            authorityDigest: new.certificate.digest,
            former: former.certificate.digest,
            formerEnds: formerEnds,
            formerSignature: try former.key.sign(statement),
            newSignature: try new.key.sign(statement),
            rotatedBy: name
        )
    }
}
