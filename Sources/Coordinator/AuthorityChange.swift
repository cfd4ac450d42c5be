import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Verification

/// Records that the consortium's certificate authority changes, in the ledger of a coordinator that does not run.
public struct AuthorityChange {
    private let configuration: CoordinatorConfiguration

    public init(_ configuration: CoordinatorConfiguration) { self.configuration = configuration }

    /// Appends `rotation`, which both authorities must have signed; returns the entry.
    public func record(_ rotation: AuthorityRotation, at now: Timestamp) throws -> UInt64 {
        let files = CoordinatorFiles(directory: configuration.dataDirectory)
        let lock: DirectoryLock
        do { lock = try DirectoryLock(files.directory) } catch let error as BlobError where error.code == .busy {
            throw CoordinatorError("the coordinator runs", hint: "stop it, record the change, and start it again")
        }
        defer { withExtendedLifetime(lock) {} }
        let key = try IdentityFile.key(files.logKey)
        let seal = try SealedFile(files)
        let (ledger, state) = try FormerRun.ledger(files, consortium: configuration.consortium, key: key)
        let authorities = try IdentityFile.certificates(configuration.authority)
        // As at a start: nothing is added to an older copy, nor to a ledger that lacks what sites have seen.
        try FormerRun.check(seal, files, ledger, state, TrustRoots(authorities))
        guard try MissingHistory(path: files.missingHistory).load(ledger.snapshot) == nil else {
            throw CoordinatorError(
                "the ledger lacks entries that sites have seen: nothing is added to it",
                hint:
                    """
                    start the coordinator; when the receipts of its sites have filled the gap, or the loss was \
                    declared, change the CA
                    """
            )
        }
        guard state.authorities.last?.digest != rotation.authorityDigest else {
            throw CoordinatorError(
                "the ledger names that CA as the one in force already",
                hint: "this change was recorded before: start the coordinator"
            )
        }
        try check(rotation, former: authorities)
        let principal = try IdentityFile.certificates(configuration.certificate)[0].principal()
        var machine = CoordinatorMachine(state: state)
        let effects: [CoordinatorMachine.Effect]
        do { effects = try machine.rotate(rotation.asked(by: principal.path), at: now) } catch {
            throw CoordinatorError("the change of the CA cannot be recorded: it \(error.message)")
        }
        // The file is another one from here on; the seal over it would be wrong.
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
                "the CA that is replaced is not in \(configuration.authority)",
                hint: "record the change before the file is changed"
            )
        }
        do {
            try AuthoritySuccession.verify(rotation, consortium: configuration.consortium, among: authorities)
        } catch let error as VerificationError {
            throw CoordinatorError("\(error) of \(configuration.consortium)", hint: "kumiai pki endorse makes it")
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

    /// Signed by both authorities.
    public static func make(
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
