import Blobs
import Federation

/// The history of a ledger's rounds, for an auditor.
package struct RoundHistory: Sendable {
    package struct Record: Sendable {
        package let campaign: CampaignID
        /// The indices of the entries that opened it, and that committed or abandoned it.
        package let openedEntry: Int
        package var endedEntry: Int?
        package var task: AggregationTask
        package let openedAt: Timestamp
        package var cohort: [SiteID]
        package var updates: [(index: Int, update: AcceptedUpdate)] = []
        package var refusals: [RefusedUpdate] = []
        package var commit: RoundCommit?
        package var endedAt: Timestamp?
        package var abandoned: String?
        /// Why its campaign ended while the round was open.
        package var ended: String?
        /// A release of this round, from a campaign that ended before its plan did.
        package var release: ReleaseCutting?
        /// Its updates are no longer kept: it can be verified but not replayed.
        package var isPruned = false

        /// The sites whose updates count in it. For a committed round these include updates that an abandoned attempt
        /// accepted.
        package var sites: [SiteID] { counted.map(\.site) }

        /// Those of ``sites`` whose update is for this round.
        package var timely: [SiteID] { counted.filter { $0.round == task.key.round }.map(\.site) }

        /// Those of ``sites`` whose update was late, for an earlier round. A site may be in both lists.
        package var late: [SiteID] { counted.filter { $0.round < task.key.round }.map(\.site) }

        /// The sites that were asked and have no counted update for this round.
        package var missing: [SiteID] { cohort.filter { !timely.contains($0) } }

        private var counted: [(site: SiteID, round: Int)] {
            guard commit != nil else {
                return updates.map { ($0.update.update.manifest.site, $0.update.update.manifest.key.round) }
            }
            return task.contributions.map { ($0.site, roundsOfUpdates[$0.update] ?? task.key.round) }
        }

        /// The rounds for which the counted updates were trained.
        var roundsOfUpdates: [Digest: Int] = [:]
    }

    package private(set) var rounds: [Record] = []
    /// Also those of which no round was opened.
    package private(set) var campaigns: [CampaignID] = []
    /// Events other than rounds, with their entries' indices: changes of campaigns and of the CA, losses, corrections
    /// of the clock, and attempts abandoned before they opened.
    package private(set) var events: [(index: Int, text: String)] = []
    /// The rounds for which the campaign's accepted updates were trained.
    private var roundsOfUpdates: [Digest: Int] = [:]

    /// Folds the entries.
    ///
    /// - Throws: `AuditError` at the first entry that does not follow from those before it.
    package init(_ copy: LedgerCopy) throws {
        var state = ConsortiumState()
        let hint = "kumiai audit verify lists everything that is wrong"
        guard !copy.entries.isEmpty else { throw AuditError("the ledger is empty", hint: hint, code: .tampered) }
        for index in copy.entries.indices {
            let entry: Entry
            do { entry = try copy.entry(at: index) } catch let error as AuditError { throw error } catch {
                throw AuditError("entry \(index) cannot be read: \(error)", hint: hint, code: .tampered)
            }
            do { try state.apply(entry) } catch {
                throw AuditError("entry \(index) \(error.message)", hint: hint, code: .tampered)
            }
            if case .campaignOpened(let plan, _) = entry.body { campaigns.append(plan.campaign) }
            addEvents(entry, index, state.campaign?.plan.campaign)
            guard let campaign = state.campaign else { continue }
            addToRounds(entry, index, campaign)
        }
    }

    private mutating func addEvents(_ entry: Entry, _ index: Int, _ campaign: CampaignID?) {
        func add(_ text: String) { events.append((index, text)) }
        if let notice = entry.notice { add(notice) }
        switch entry.body {
        case .campaignChanged(let change):
            add(
                "\(change.changedBy) \(change.action.verb) \(change.campaign)\(change.action.details): \(change.reason)"
            )
        case .roundAbandoned(let abandonment):
            // An attempt that had opened has its own record.
            guard !rounds.contains(where: { $0.campaign == campaign && $0.task.key == abandonment.key && isOpen($0) })
            else { break }
            add(
                """
                round \(abandonment.key) of \(campaign?.text ?? "") was abandoned before it opened: \
                \(abandonment.reason)
                """
            )
        default: break
        }
    }

    private func isOpen(_ record: Record) -> Bool {
        record.commit == nil && record.abandoned == nil && record.ended == nil
    }

    private func isOpen(_ record: Record, _ campaign: CampaignState, _ key: RoundKey) -> Bool {
        isOpen(record) && record.campaign == campaign.plan.campaign && record.task.key == key
    }

    private mutating func addToRounds(_ entry: Entry, _ index: Int, _ campaign: CampaignState) {
        if case .collecting(let collection) = campaign.round.phase, case .roundOpened(let opening) = entry.body {
            rounds.append(
                Record(
                    campaign: campaign.plan.campaign,
                    openedEntry: index,
                    task: campaign.round.task(collection),
                    openedAt: entry.at,
                    cohort: opening.cohort
                )
            )
        }
        guard !rounds.isEmpty else { return }
        let last = rounds.count - 1
        switch entry.body {
        case .campaignOpened: roundsOfUpdates = [:]
        case .updateAccepted(let accepted):
            rounds[last].updates.append((index, accepted))
            roundsOfUpdates[accepted.update.manifest.update] = accepted.update.manifest.key.round
        case .updateRefused(let refused): rounds[last].refusals.append(refused)
        case .roundClosed:
            if case .aggregating(let collection) = campaign.round.phase {
                rounds[last].task = campaign.round.task(collection)
            }
        case .roundCommitted(let commit):
            (rounds[last].commit, rounds[last].endedAt, rounds[last].endedEntry) = (commit, entry.at, index)
            for contribution in rounds[last].task.contributions {
                rounds[last].roundsOfUpdates[contribution.update] = roundsOfUpdates[contribution.update]
            }
        case .roundAbandoned(let abandonment) where isOpen(rounds[last], campaign, abandonment.key):
            (rounds[last].abandoned, rounds[last].endedAt, rounds[last].endedEntry) = (
                abandonment.reason, entry.at, index
            )
        case .campaignEnded(let end) where rounds[last].campaign == end.campaign && isOpen(rounds[last]):
            (rounds[last].ended, rounds[last].endedAt, rounds[last].endedEntry) = (end.reason, entry.at, index)
        case .releaseCut(let cutting):
            guard let round = cutting.round else { break }
            for index in rounds.indices
            where rounds[index].campaign == cutting.campaign && rounds[index].task.key.round == round
                && rounds[index].commit != nil
            {
                rounds[index].release = cutting
            }
        case .updatesPruned(let pruning):
            for index in rounds.indices
            where rounds[index].campaign == pruning.campaign && rounds[index].task.key.round <= pruning.throughRound {
                rounds[index].isPruned = true
            }
        default: break
        }
    }
}

/// Whether a round can be recomputed from a copy.
package enum Replayability: Equatable, Sendable, CustomStringConvertible {
    case replayable
    case pruned
    case missing(Int)
    /// The round has no result.
    case notCommitted

    package var description: String {
        switch self {
        case .replayable: "yes"
        case .pruned: "pruned"
        case .missing(let count): "\(counted(count, "blob")) missing"
        case .notCommitted: ""
        }
    }
}

extension RoundHistory.Record {
    package func replayability(in blobs: BlobStore) -> Replayability {
        guard commit != nil else { return .notCommitted }
        let needed = task.start.blobs + task.contributions.map(\.update)
        let missing = needed.count { !blobs.contains($0) }
        return missing == 0 ? .replayable : isPruned ? .pruned : .missing(missing)
    }
}
