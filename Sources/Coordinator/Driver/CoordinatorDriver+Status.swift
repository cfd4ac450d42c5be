import Federation

/// Questions that every client may ask, answered when everything decided is on the disk.
extension CoordinatorDriver {
    /// - Parameters:
    ///   - named: Sites to report on in addition to the connected ones; if `nil`, the campaign's sites.
    ///   - seen: Sites that have presented a valid certificate since the start.
    func status(
        of named: [SiteID]?,
        consortium: String,
        seen: Set<SiteID>,
        refused: [SiteID: RefusedSite],
        at now: Timestamp
    ) -> StatusReport {
        let (campaign, contributors) = (machine.state.campaign, machine.state.contributors)
        let present = presentSites
        let reported = present.union(named ?? campaign?.plan.sites ?? []).sorted()
        return StatusReport(
            consortium: consortium,
            time: now,
            ledgerEntries: UInt64(ledger.count),
            treeHead: ledger.head.note,
            campaign: campaign?.report(present: present),
            sites: reported.map { site in
                let presence = sites[site]
                let absence = presence?.isConnected == true ? nil : refused[site].map { "\($0.reason) (\($0.at.text))" }
                return SiteReport(
                    site: site,
                    isConnected: presence?.isConnected ?? false,
                    heartbeat: presence?.heartbeat ?? Heartbeat(),
                    updatesAccepted: campaign?.acceptedBySite[site] ?? 0,
                    updatesRefused: campaign?.refusedBySite[site] ?? 0,
                    lastSeen: presence?.lastSeen,
                    certificateEnds: presence?.certificate?.notAfter,
                    isKnown: seen.contains(site) || contributors.contains(site),
                    absence: absence ?? ""
                )
            },
            models: machine.state.models.keys.sorted().map(\.text)
        )
    }

    /// Whether a site may fetch this blob: only global models, never another site's update.
    func mayFetch(_ digest: Digest) -> Bool {
        if machine.state.models.values.contains(where: { $0.digest == digest }) { return true }
        guard let campaign = machine.state.campaign else { return false }
        return [campaign.current, campaign.round.start].contains { $0.model == digest || $0.adapter?.digest == digest }
    }

    /// The size of the largest update that a site may upload now; `nil` if no campaign accepts updates from it.
    package func uploadLimit(for site: SiteID) -> UInt64? {
        guard let campaign = machine.state.campaign, campaign.end == nil, campaign.plan.sites.contains(site),
            let model = campaign.plan.model
        else { return nil }
        return model.byteCount + UInt64(CoordinatorLimits.headerSlackBytes)
    }

    /// The rounds and blobs that a pruning would remove now.
    func pruning(at now: Timestamp) -> (rounds: Int, blobs: Set<Digest>) {
        var preview = machine
        _ = preview.prune(by: "", at: now)
        let (before, after) = (machine.state, preview.state)
        return (
            after.archive.prunedCount - before.archive.prunedCount, after.prunedBlobs.subtracting(before.prunedBlobs)
        )
    }
}
