import Federation
import Identity
import Ledger

/// Verifies that a ledger's entries were signed by the principals that they name. An auditor starts with the CAs that
/// it trusts and follows the ledger from one CA to the next.
public struct EntrySignatures {
    /// The trusted CAs, and the CAs that they and their successors have vouched for.
    public private(set) var roots: TrustRoots
    private let trusted: TrustRoots

    /// Prepares to verify a ledger from its first entry on.
    ///
    /// - Parameter roots: The CAs that the auditor trusts; the ledger must have been founded under one of them.
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
        case .founded(let genesis): try check(genesis, at: entry.at)
        case .updateAccepted(let accepted):
            let consortium = try genesis(of: state).consortium
            try UpdateSignature.verify(
                accepted.update,
                consortium: consortium,
                roots: roots.without(state.endedAuthorities(at: entry.at)),
                at: entry.at
            )
        case .authorityRotated(let rotation):
            let authority = try AuthoritySuccession.verify(
                rotation,
                consortium: genesis(of: state).consortium,
                among: roots.authorities
            )
            roots = TrustRoots(roots.authorities + [authority])
        case .lossDeclared(let loss): try check(loss, genesis(of: state))
        default: break
        }
    }

    private func genesis(of state: ConsortiumState) throws -> Genesis {
        guard let genesis = state.genesis else { throw VerificationError("comes before the ledger's founding entry") }
        return genesis
    }

    private func check(_ genesis: Genesis, at time: Timestamp) throws {
        if let problem = trusted.problem(of: genesis) { throw VerificationError(problem) }
        let certificate = try Certificate(der: genesis.coordinatorCertificate)
        let principal = try trusted.verify(certificate, at: time)
        guard principal.isCoordinator, principal.consortium == genesis.consortium else {
            throw VerificationError("founded by \(principal), which is not the coordinator of \(genesis.consortium)")
        }
        guard try certificate.vouches(for: genesis.logKey, signature: genesis.logKeySignature) else {
            throw VerificationError("the coordinator's signature of the log key is wrong")
        }
    }

    /// Only a history that the log key has signed can be declared lost.
    private func check(_ loss: LossDeclaration, _ genesis: Genesis) throws {
        do {
            let lost = try SignedTreeHead(
                note: loss.lostTreeHead,
                origin: SignedTreeHead.origin(consortium: genesis.consortium),
                key: genesis.logKey
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
    ///
    /// - Parameter genesis: The ledger's founding entry.
    public func problem(of genesis: Genesis) -> String? {
        guard !authorities.contains(where: { $0.digest == genesis.authority }) else { return nil }
        let trusted = authorities.map { "\($0.subject) (SHA-256 \($0.digest.hex))" }.joined(separator: ", ")
        return
            """
            the ledger of \(genesis.consortium) was founded under a different CA, with SHA-256 \
            \(genesis.authority.hex), not under \(trusted)
            """
    }
}
