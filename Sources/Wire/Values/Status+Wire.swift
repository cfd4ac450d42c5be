import Federation
import KumiaiProto

extension StatusReport {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Status> {
        arena.make(kumiai__v1__status__init) { m in
            m.consortium = arena.string(consortium)
            m.time_ms = time.milliseconds
            m.ledger_entries = ledgerEntries
            m.tree_head = arena.string(treeHead)
            m.campaign = campaign?.packed(in: arena)
            m.n_sites = sites.count
            m.sites = arena.array(sites.map { Optional($0.packed(in: arena)) })
            m.n_models = models.count
            m.models = arena.strings(models)
            m.n_troubles = problems.count
            m.troubles = arena.strings(problems)
        }
    }

    init(_ m: Kumiai__V1__Status) throws {
        self.init(
            consortium: try Field.text(m.consortium, "status.consortium"),
            time: Timestamp(milliseconds: m.time_ms),
            ledgerEntries: m.ledger_entries,
            treeHead: try Field.text(m.tree_head, "status.tree_head"),
            campaign: try m.campaign.map { try CampaignReport($0.pointee) },
            sites: try Field.list(m.sites, m.n_sites, "status.sites", atMost: PlanLimits.sites) {
                try SiteReport(try Field.present($0, "status.sites").pointee)
            },
            models: try Field.list(m.models, m.n_models, "status.models", atMost: 10_000) {
                try Field.text($0, "status.models")
            },
            problems: try Field.list(m.troubles, m.n_troubles, "status.troubles", atMost: 16) {
                try Field.text($0, "status.troubles")
            }
        )
    }
}

extension CampaignReport {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__CampaignStatus> {
        arena.make(kumiai__v1__campaign_status__init) { m in
            m.campaign = arena.string(campaign.text)
            m.phase = arena.string(phase)
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.rounds = UInt32(clamping: rounds)
            m.committed = UInt32(clamping: committed)
            m.deadline_ms = deadline?.milliseconds ?? 0
            m.model_digest = arena.bytes(model)
            m.quorum = UInt32(clamping: quorum)
            m.updates_in_round = UInt32(clamping: updatesInRound)
            m.updates_accepted = UInt64(updatesAccepted)
            m.updates_refused = UInt64(updatesRefused)
            m.reason = arena.string(reason)
            m.n_awaited = awaited.count
            m.awaited = arena.strings(awaited.map(\.description))
        }
    }

    fileprivate init(_ m: Kumiai__V1__CampaignStatus) throws {
        self.init(
            campaign: try Field.name(m.campaign, "campaign.campaign"),
            phase: try Field.text(m.phase, "campaign.phase"),
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            rounds: Int(m.rounds),
            committed: Int(m.committed),
            deadline: m.deadline_ms == 0 ? nil : Timestamp(milliseconds: m.deadline_ms),
            model: try Field.digest(m.model_digest, "campaign.model_digest"),
            quorum: Int(m.quorum),
            updatesInRound: Int(m.updates_in_round),
            updatesAccepted: Int(clamping: m.updates_accepted),
            updatesRefused: Int(clamping: m.updates_refused),
            reason: try Field.text(m.reason, "campaign.reason"),
            awaited: try Field.list(m.awaited, m.n_awaited, "campaign.awaited", atMost: PlanLimits.sites) {
                try Field.site($0, "campaign.awaited")
            }
        )
    }
}

extension SiteReport {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__SiteStatus> {
        arena.make(kumiai__v1__site_status__init) { m in
            m.site = arena.string(site.description)
            m.connected = isConnected ? 1 : 0
            m.activity = heartbeat.activity.wireValue
            m.round = UInt32(clamping: heartbeat.round)
            m.progress = heartbeat.progress
            m.local_loss = heartbeat.localLoss
            m.bytes_up = heartbeat.bytesUp
            m.bytes_down = heartbeat.bytesDown
            m.updates_accepted = UInt64(updatesAccepted)
            m.updates_refused = UInt64(updatesRefused)
            m.last_seen_ms = lastSeen?.milliseconds ?? 0
            m.trouble = arena.string(heartbeat.problem)
            m.display_name = arena.string(heartbeat.displayName)
            m.certificate_ends_ms = certificateEnds?.milliseconds ?? 0
            m.is_known = isKnown ? 1 : 0
            m.absence = arena.string(absence)
        }
    }

    fileprivate init(_ m: Kumiai__V1__SiteStatus) throws {
        self.init(
            site: try Field.site(m.site, "site.site"),
            isConnected: m.connected != 0,
            heartbeat: Heartbeat(
                activity: try Activity(m.activity),
                round: Int(m.round),
                progress: min(1, max(0, try Field.finite(m.progress, "site.progress"))),
                localLoss: try Field.finite(m.local_loss, "site.local_loss"),
                bytesUp: m.bytes_up,
                bytesDown: m.bytes_down,
                problem: try Field.text(m.trouble, "site.trouble", atMost: Heartbeat.problemBytes),
                displayName: try Field.text(m.display_name, "site.display_name", atMost: Heartbeat.displayNameBytes)
            ),
            updatesAccepted: Int(clamping: m.updates_accepted),
            updatesRefused: Int(clamping: m.updates_refused),
            lastSeen: m.last_seen_ms == 0 ? nil : Timestamp(milliseconds: m.last_seen_ms),
            certificateEnds: m.certificate_ends_ms == 0 ? nil : Timestamp(milliseconds: m.certificate_ends_ms),
            isKnown: m.is_known != 0,
            absence: try Field.text(m.absence, "site.absence", atMost: SiteReport.absenceBytes)
        )
    }
}
