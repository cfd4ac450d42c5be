import Federation

/// The table of sites in a status and in the demo.
enum SiteTable {
    static func table(_ report: StatusReport) -> Table {
        var table = Table([
            ("SITE", .left), ("STATE", .left), ("LOCAL LOSS", .right), ("UP", .right), ("DOWN", .right),
            ("ACCEPTED", .right),
            ("REFUSED", .right), ("SEEN", .right),
        ])
        for site in report.sites {
            let beat = site.heartbeat
            table.append([
                name(site), state(site, now: report.time),
                beat.localLoss == 0 ? "–" : Format.number(beat.localLoss, digits: 4),
                Format.bytes(beat.bytesUp), Format.bytes(beat.bytesDown), "\(site.updatesAccepted)",
                "\(site.updatesRefused)",
                Format.ago(site.lastSeen, now: report.time),
            ])
        }
        return table
    }

    private static func name(_ site: SiteReport) -> String {
        site.heartbeat.displayName.isEmpty ? site.site.description : "\(site.site) \(site.heartbeat.displayName)"
    }

    /// The sites' problems, one line each: what they report, and notices about their certificates.
    static func problems(_ report: StatusReport) -> [String] {
        report.sites.flatMap { site -> [String] in
            var lines: [String] = []
            if site.isConnected, !site.heartbeat.problem.isEmpty {
                lines.append("\(site.site) says: \(site.heartbeat.problem)")
            }
            if !site.isConnected, !site.absence.isEmpty {
                lines.append("\(site.site) is not connected: \(site.absence)")
            }
            // A connected site reports this itself, and may have renewed its certificate since it connected.
            if !site.isConnected, let end = site.certificateEnds,
                let notice = ValidityPeriod(notBefore: .init(milliseconds: 0), notAfter: end).notice(at: report.time)
            {
                lines.append("\(site.site): its certificate \(notice)")
            }
            return lines
        }
    }

    /// A connected site whose last message is older than this is shown as silent.
    private static let silentMilliseconds: UInt64 = 20_000

    /// Distinguishes slow, silent and disconnected sites.
    private static func state(_ site: SiteReport, now: Timestamp) -> String {
        guard site.isConnected else { return site.absence.isEmpty ? "not connected" : "rejected" }
        if let seen = site.lastSeen, now > seen, now.milliseconds - seen.milliseconds > silentMilliseconds {
            return "silent, was \(activity(site.heartbeat))"
        }
        return activity(site.heartbeat)
    }

    private static func activity(_ beat: Heartbeat) -> String {
        switch beat.activity {
        case .fetching, .training, .uploading: "\(beat.activity.rawValue) \(Int(beat.progress * 100)) %"
        // A site that waits for others or for the next round names none.
        case .waiting where beat.round > 0: "waits to try again"
        case .paused: "paused at \(Int(beat.progress * 100)) %"
        default: beat.activity.rawValue
        }
    }
}

/// A campaign's state in a few lines.
enum CampaignText {
    static func lines(_ campaign: CampaignReport, now: Timestamp) -> [String] {
        var lines = [
            """
            campaign \(campaign.campaign): \(campaign.phase), \(campaign.committed) of \
            \(counted(campaign.rounds, "round")) committed, model \(campaign.model.short)
            """
        ]
        if campaign.phase == "recruiting" {
            let left =
                campaign.deadline.map {
                    """
                    , abandoned \
                    \($0 > now ? "in " + Format.duration(Double($0.milliseconds - now.milliseconds) / 1000) : "now")
                    """
                } ?? ""
            lines.append("round \(campaign.key): waits for its quorum of \(counted(campaign.quorum, "site"))\(left)")
        } else if let deadline = campaign.deadline {
            let left =
                deadline > now
                ? Format.duration(Double(deadline.milliseconds - now.milliseconds) / 1000) + " left" : "deadline passed"
            lines.append(
                """
                round \(campaign.key): \(counted(campaign.updatesInRound, "update")), quorum \(campaign.quorum), \
                \(left)
                """
            )
        }
        if !campaign.awaited.isEmpty {
            lines.append("waits for: \(campaign.awaited.map(\.description).joined(separator: ", "))")
        }
        if !campaign.reason.isEmpty { lines.append("reason: \(campaign.reason)") }
        lines.append("updates: \(campaign.updatesAccepted) accepted, \(campaign.updatesRefused) refused")
        return lines
    }
}
