import Federation
import Identity

/// How the coordinator's ledger relates to the tree head that a site has seen.
///
/// A ledger that was restored from an older backup, or was extended after such a restore, cannot extend what its sites
/// have seen. Nothing may be appended to it then, because one key would sign two histories.
public enum HistoryStanding: Equatable, Sendable {
    /// The ledger extends what the site has seen.
    case extends(proof: [Digest])
    /// It does not, but the consortium has declared the loss: the newest declaration that explains it.
    case lossDeclared(ConsortiumState.RecordedLoss)
    /// It does not: the site has seen entries that are missing or different here.
    case isBehind(SignedTreeHead)
    /// The site's note is not signed by this ledger's key.
    case isForeign(String)
}

extension Ledger {
    /// Compares the ledger as it is now with the note in a site's hello.
    ///
    /// - Parameters:
    ///   - note: The signed note of the newest tree head that the site has seen; empty if it has seen none.
    ///   - losses: The losses that the consortium has declared, oldest first.
    /// - Returns: Whether the ledger extends what the site has seen; if not, whether a declared loss explains it.
    public func standing(of note: String, losses: [ConsortiumState.RecordedLoss]) -> HistoryStanding {
        snapshot.standing(of: note, losses: losses)
    }
}

extension LedgerSnapshot {
    /// Compares the ledger with the note in a site's hello. An empty note means that the site has seen nothing.
    ///
    /// - Parameters:
    ///   - note: The signed note of the newest tree head that the site has seen; empty if it has seen none.
    ///   - losses: The losses that the consortium has declared, oldest first.
    /// - Returns: Whether the ledger extends what the site has seen; if not, whether a declared loss explains it.
    public func standing(of note: String, losses: [ConsortiumState.RecordedLoss]) -> HistoryStanding {
        guard !note.isEmpty else { return .extends(proof: []) }
        let seen: SignedTreeHead
        do { seen = try SignedTreeHead(note: note, origin: origin, key: publicKey) } catch {
            return .isForeign("\(error)")
        }
        if seen.head.size <= count, root(size: seen.head.size) == seen.head.root {
            return .extends(proof: consistencyProof(from: seen.head.size))
        }
        let declared = losses.last { loss in
            guard let lost = try? SignedTreeHead(note: loss.declaration.lostTreeHead, origin: origin, key: publicKey)
            else { return false }
            return seen.head.isExplained(byLossOf: lost.head, declaredAt: loss.at)
        }
        return declared.map(HistoryStanding.lossDeclared) ?? .isBehind(seen)
    }
}
