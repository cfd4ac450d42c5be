import Federation
import NIOConcurrencyHelpers
import Wire

/// A site's control connection as the coordinator sees it: what it last said, and a queue of what it should hear.
///
/// Lives on the coordinator's actor; the queue is drained by the connection's own task, so that a slow site holds
/// nobody up.
final class SitePresence: @unchecked Sendable {
    // Unchecked: all but the queue is touched by the coordinator's actor only, and the queue is thread-safe.
    private let queue: AsyncStream<ServerMessage>.Continuation
    let outgoing: AsyncStream<ServerMessage>
    private(set) var isConnected = false
    private(set) var lastSeen: Timestamp?
    private(set) var heartbeat = Heartbeat()
    /// Of the connection's certificate.
    let certificate: CertificateTerm?

    init(certificate: CertificateTerm? = nil) {
        self.certificate = certificate
        // Only assignments go this way, and only the newest counts.
        (outgoing, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(4))
    }

    func send(_ message: ServerMessage) { queue.yield(message) }
    /// Ends the connection's task.
    func leave() { queue.finish() }

    func connected(at time: Timestamp) {
        isConnected = true
        lastSeen = time
    }

    func disconnected() { isConnected = false }

    func beat(_ heartbeat: Heartbeat, at time: Timestamp) {
        // What a site says while it has no update in hand is of an earlier round, perhaps of another campaign.
        let isOfRound = heartbeat.localLoss != 0 && [.training, .uploading, .submitting].contains(heartbeat.activity)
        let loss = isOfRound ? heartbeat.localLoss : self.heartbeat.localLoss
        self.heartbeat = heartbeat
        self.heartbeat.localLoss = loss
        lastSeen = time
    }

    /// The loss of an update that was taken in: it is signed, and newer than any heartbeat's.
    func note(localLoss: Double) { heartbeat.localLoss = localLoss }

    /// A loss says something of its own campaign only.
    func forgetLoss() { heartbeat.localLoss = 0 }

    func takeOver(_ former: SitePresence) { heartbeat = former.heartbeat }
}
