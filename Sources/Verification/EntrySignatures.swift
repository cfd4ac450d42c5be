import Federation
import Identity
import Ledger

/// Verifies that a ledger's entries were signed by the principals that they name. An auditor starts with the CAs that
/// it trusts and follows the ledger from one CA to the next.
public struct EntrySignatures {
    /// The trusted CAs, and the CAs that they and their successors have vouched for.
    public private(set) var roots: TrustRoots
    private let trusted: TrustRoots

    public init(trusting roots: TrustRoots) {
        self.roots = roots
        trusted = roots
    }

    /// Verifies the signatures of the next entry.
    ///
    /// - Parameters:
    ///   - entry: The entry.
    ///   - state: The fold of the entries before it.
    /// - Throws: `VerificationError`, `IdentityError` or `LedgerError` if a signature is not valid.
    public mutating func check(_ entry: Entry, after state: ConsortiumState) throws {
        switch entry.body {
        case .founded(let founding): try check(founding, at: entry.at)
        case .updateAccepted(let accepted):
            let consortium = try founding(of: state).consortium
            try UpdateSignature.verify(
                accepted.update,
                consortium: consortium,
                roots: roots.without(state.endedAuthorities(at: entry.at)),
                at: entry.at
            )
        case .authorityRotated(let rotation):
            let authority = try AuthoritySuccession.verify(
                rotation,
                consortium: founding(of: state).consortium,
                among: roots.authorities
            )
            roots = TrustRoots(roots.authorities + [authority])
        case .lossDeclared(let loss): try check(loss, founding(of: state))
        default: break
        }
    }

    private func founding(of state: ConsortiumState) throws -> Founding {
        guard let founding = state.founding else { throw VerificationError("comes before the ledger's founding entry") }
        return founding
    }

    private func check(_ founding: Founding, at time: Timestamp) throws {
        if let problem = trusted.problem(of: founding) { throw VerificationError(problem) }
        let certificate = try Certificate(der: founding.coordinatorCertificate)
        let principal = try trusted.verify(certificate, at: time)
        guard principal.isCoordinator, principal.consortium == founding.consortium else {
            throw VerificationError("founded by \(principal), which is not the coordinator of \(founding.consortium)")
        }
        guard try certificate.vouches(for: founding.logKey, signature: founding.logKeySignature) else {
            throw VerificationError("the coordinator's signature of the log key is wrong")
        }
    }

    /// Only a history that the log key has signed can be declared lost.
    private func check(_ loss: LossDeclaration, _ founding: Founding) throws {
        do {
            let lost = try SignedTreeHead(
                note: loss.lostTreeHead,
                origin: SignedTreeHead.origin(consortium: founding.consortium),
                key: founding.logKey
            ).head
            guard loss.keptEntries <= lost.size else {
                throw VerificationError("it keeps \(loss.keptEntries) entries of a history that had \(lost.size)")
            }
        } catch let error as LedgerError {
            throw VerificationError("the tree head declared lost does not belong to this ledger: \(error.message)")
        }
    }
}

extension TrustRoots {
    /// Returns a message if the ledger was founded under none of these CAs; `nil` if it was founded under one of them.
    public func problem(of founding: Founding) -> String? {
        guard !authorities.contains(where: { $0.digest == founding.authority }) else { return nil }
        let trusted = authorities.map { "\($0.subject) (SHA-256 \($0.digest.hex))" }.joined(separator: ", ")
        return
            """
            the ledger of \(founding.consortium) was founded under a different CA, with SHA-256 \
            \(founding.authority.hex), not under \(trusted)
            """
    }
}
