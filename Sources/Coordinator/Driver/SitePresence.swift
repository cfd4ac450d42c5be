import Federation
import Protocol

/// What the coordinator knows of a site that has connected since the start.
package struct SitePresence: Sendable {
    /// Its control connection; `nil` if it has none now.
    package internal(set) var link: LinkID?
    package internal(set) var lastSeen: Timestamp
    package private(set) var heartbeat = Heartbeat()
    /// The validity period of the certificate on its newest connection.
    package internal(set) var certificate: ValidityPeriod?

    package var isConnected: Bool { link != nil }

    init(_ link: LinkID, _ certificate: ValidityPeriod?, at time: Timestamp) {
        self.link = link
        self.certificate = certificate
        lastSeen = time
    }

    mutating func record(_ heartbeat: Heartbeat, at time: Timestamp) {
        // A loss that a site reports while it has no update in hand belongs to an earlier round, perhaps of another
        // campaign.
        let isOfRound = heartbeat.localLoss != 0 && [.training, .uploading, .submitting].contains(heartbeat.activity)
        let loss = isOfRound ? heartbeat.localLoss : self.heartbeat.localLoss
        self.heartbeat = heartbeat
        self.heartbeat.localLoss = loss
        lastSeen = time
    }

    /// Records the loss of an accepted update: it is signed, and newer than any heartbeat's.
    mutating func record(localLoss: Double) { heartbeat.localLoss = localLoss }

    /// Forgets the loss, which means nothing outside its own campaign.
    mutating func forgetLoss() { heartbeat.localLoss = 0 }
}
