import Federation
import Identity

/// What the tree head that a site has seen says of the coordinator's own ledger.
///
/// A ledger that was restored from an older backup, or written on from one, cannot extend what its sites have seen.
/// Nothing may be added to it then: two histories would be signed with one key.
public enum HistoryStanding: Equatable, Sendable {
    /// The ledger goes on from what the site has seen.
    case extends(proof: [Digest])
    /// It does not, and the consortium has declared so: the newest declaration that explains it.
    case lossDeclared(ConsortiumState.RecordedLoss)
    /// It does not: the site has seen entries that are missing here, or other ones.
    case isBehind(SignedTreeHead)
    /// The site's note was not signed by this ledger's key.
    case isForeign(String)
}

extension Ledger {
    public func standing(of note: String, losses: [ConsortiumState.RecordedLoss]) -> HistoryStanding {
        snapshot.standing(of: note, losses: losses)
    }
}

extension LedgerSnapshot {
    /// Judges the note of a site's hello; an empty one is that of a site which has seen nothing.
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
