/// The committed rounds of all campaigns, and which of their blobs are kept.
public struct RoundArchive: Equatable, Sendable {
    public struct Record: Equatable, Sendable {
        public let campaign: CampaignID
        public let round: Int
        public let committedAt: Timestamp
        /// 0 keeps the round for ever.
        public let retentionSeconds: Int
        public let start: GlobalState
        public let result: GlobalState
        public let updates: [Digest]
        public internal(set) var isPruned = false

        /// Whether the plan's retention period has passed.
        ///
        /// - Parameter now: The present time.
        public func isExpired(at now: Timestamp) -> Bool {
            retentionSeconds > 0 && now >= committedAt.adding(seconds: retentionSeconds)
        }

        var blobs: [Digest] { start.blobs + result.blobs + updates }
    }

    public private(set) var records: [Record] = []

    public var prunedCount: Int { records.count(where: \.isPruned) }

    /// Returns a committed round, pruned or not; `nil` if it is not committed.
    ///
    /// - Parameters:
    ///   - campaign: The campaign, open or ended.
    ///   - round: The round, from 1.
    public func record(of campaign: CampaignID, round: Int) -> Record? {
        records.first { $0.campaign == campaign && $0.round == round }
    }

    mutating func add(_ task: AggregationTask, _ commit: RoundCommit, of plan: Plan, at time: Timestamp) {
        records.append(
            Record(
                campaign: plan.campaign,
                round: commit.key.round,
                committedAt: time,
                retentionSeconds: plan.retentionSeconds,
                start: task.start,
                result: commit.result,
                updates: task.contributions.map(\.update)
            )
        )
    }

    /// Returns what may be pruned now: for each campaign, the newest round whose retention period has passed.
    ///
    /// - Parameters:
    ///   - now: The present time.
    ///   - name: Who asks for it: `operator/<name>`.
    public func expired(at now: Timestamp, by name: String) -> [Pruning] {
        var campaigns: [CampaignID] = []
        for record in records where !campaigns.contains(record.campaign) { campaigns.append(record.campaign) }
        return campaigns.compactMap { campaign in
            let kept = records.filter { $0.campaign == campaign && !$0.isPruned }
            guard let last = kept.prefix(while: { $0.isExpired(at: now) }).last else { return nil }
            return Pruning(campaign: campaign, throughRound: last.round, prunedBy: name)
        }
    }

    mutating func prune(_ pruning: Pruning, at now: Timestamp) throws(LedgerViolation) {
        let affected = records.indices.filter {
            records[$0].campaign == pruning.campaign && records[$0].round <= pruning.throughRound
                && !records[$0].isPruned
        }
        guard let last = affected.last, records[last].round == pruning.throughRound else {
            throw LedgerViolation("prunes rounds of \(pruning.campaign) that do not exist or are already pruned")
        }
        for index in affected {
            guard records[index].isExpired(at: now) else {
                throw LedgerViolation(
                    "prunes round \(records[index].round) of \(pruning.campaign) before its retention period has passed"
                )
            }
        }
        for index in affected { records[index].isPruned = true }
    }

    /// Whether a committed round names this digest, not counting updates of `campaign`.
    func names(_ digest: Digest, outsideUpdatesOf campaign: CampaignID?) -> Bool {
        records.contains { record in
            [record.start, record.result].contains {
                $0.model == digest || $0.adapter?.digest == digest || $0.serverState == digest
            }
                || record.campaign != campaign && record.updates.contains(digest)
        }
    }

    /// The blobs that pruned rounds name, and those of the rounds that can still be replayed.
    var blobs: (pruned: Set<Digest>, kept: Set<Digest>) {
        var pruned: Set<Digest> = [], kept: Set<Digest> = []
        for record in records {
            if record.isPruned { pruned.formUnion(record.blobs) } else { kept.formUnion(record.blobs) }
        }
        return (pruned, kept)
    }
}
