import Federation

/// A status as `--json` prints it. The properties are its keys, which other programs read: they never change.
struct StatusOutput: Encodable {
    struct Campaign: Encodable {
        let campaign: String
        let phase: String
        let round: Int
        let attempt: Int
        let rounds: Int
        let committed: Int
        let deadlineMs: UInt64?
        let model: String
        let quorum: Int
        let updatesInRound: Int
        let updatesAccepted: Int
        let updatesRefused: Int
        let reason: String
        /// Sites that the open round waits for.
        let awaited: [String]

        init(_ campaign: CampaignReport) {
            self.campaign = campaign.campaign.text
            phase = campaign.phase
            round = campaign.key.round
            attempt = campaign.key.attempt
            rounds = campaign.rounds
            committed = campaign.committed
            deadlineMs = campaign.deadline?.milliseconds
            model = campaign.model.hex
            quorum = campaign.quorum
            updatesInRound = campaign.updatesInRound
            updatesAccepted = campaign.updatesAccepted
            updatesRefused = campaign.updatesRefused
            reason = campaign.reason
            awaited = campaign.awaited.map(\.description)
        }
    }

    struct Site: Encodable {
        let site: String
        let connected: Bool
        let activity: String
        let round: Int
        let progress: Double
        /// `nil`: the site has not reported one.
        let localLoss: Double?
        let bytesUp: UInt64
        let bytesDown: UInt64
        let updatesAccepted: Int
        let updatesRefused: Int
        let lastSeenMs: UInt64?
        let trouble: String
        let displayName: String
        let certificateEndsMs: UInt64?
        /// Why it is not connected, if its last attempt shows the reason.
        let absence: String

        init(_ site: SiteReport) {
            self.site = site.site.description
            connected = site.isConnected
            activity = site.heartbeat.activity.rawValue
            round = site.heartbeat.round
            progress = site.heartbeat.progress
            localLoss = site.heartbeat.localLoss == 0 ? nil : site.heartbeat.localLoss
            bytesUp = site.heartbeat.bytesUp
            bytesDown = site.heartbeat.bytesDown
            updatesAccepted = site.updatesAccepted
            updatesRefused = site.updatesRefused
            lastSeenMs = site.lastSeen?.milliseconds
            trouble = site.heartbeat.problem
            displayName = site.heartbeat.displayName
            certificateEndsMs = site.certificateEnds?.milliseconds
            absence = site.absence
        }
    }

    let consortium: String
    let timeMs: UInt64
    let ledgerEntries: UInt64
    let treeHead: String
    let models: [String]
    let troubles: [String]
    let campaign: Campaign?
    let sites: [Site]

    init(_ report: StatusReport) {
        consortium = report.consortium
        timeMs = report.time.milliseconds
        ledgerEntries = report.ledgerEntries
        treeHead = report.treeHead
        models = report.models
        troubles = report.problems
        campaign = report.campaign.map(Campaign.init)
        sites = report.sites.map(Site.init)
    }
}
