import Federation

/// The computation of a committed round, from a ledger's entries.
public enum CommittedRound {
    /// Folds the entries up to the commit of a round.
    ///
    /// - Parameters:
    ///   - campaign: The name of the campaign.
    ///   - round: The number of the round, from 1.
    ///   - entries: The ledger's entries, from the first on; none after the commit is read.
    /// - Returns: The computation of the attempt that was committed.
    /// - Throws: `VerificationError` if the round is not committed, or an entry does not follow from those before it.
    public static func task(of campaign: CampaignID, round: Int, in entries: some Sequence<Entry>) throws
        -> AggregationTask
    {
        var state = ConsortiumState()
        for (index, entry) in entries.enumerated() {
            let before = state.campaign
            do { try state.apply(entry) } catch {
                throw VerificationError("entry \(index) of the ledger \(error.message)")
            }
            guard case .roundCommitted(let commit) = entry.body, let before, before.plan.campaign == campaign,
                commit.key.round == round,
                case .aggregating(let collection) = before.round.phase
            else { continue }
            return before.round.task(collection)
        }
        throw VerificationError("round \(round) of \(campaign) is not committed")
    }
}
