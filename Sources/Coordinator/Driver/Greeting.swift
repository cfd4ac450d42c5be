import Federation
import Ledger
import Wire

/// The answer to a hello: what the welcome says, and what a site may do after it.
///
/// A value of the facts of one moment, without I/O: the caller reads the entry of ``loss`` from the ledger.
package struct Greeting: Sendable {
    /// What a greeting is made of.
    package struct Facts: Sendable {
        package let ledger: LedgerSnapshot
        package let losses: [ConsortiumState.RecordedLoss]
        package let model: BlobReference?

        package init(_ driver: CoordinatorDriver) {
            (ledger, losses) = (driver.ledger, driver.machine.state.losses)
            model = driver.machine.state.currentModel
        }
    }

    /// What a welcome says about the coordinator, whatever its ledger holds.
    package struct Sender: Sendable {
        let consortium: String
        let heartbeatSeconds: Int
        let chunkBytes: Int
        let logKey: [UInt8]
        let logKeySignature: [UInt8]

        package init(
            consortium: String,
            heartbeatSeconds: Int,
            chunkBytes: Int,
            logKey: [UInt8],
            logKeySignature: [UInt8]
        ) {
            self.consortium = consortium
            self.heartbeatSeconds = heartbeatSeconds
            self.chunkBytes = chunkBytes
            self.logKey = logKey
            self.logKeySignature = logKeySignature
        }
    }

    private let facts: Facts
    /// How the ledger compares with what a site has seen; `nil` for other participants.
    package let standing: HistoryStanding?

    /// Greets a site.
    ///
    /// - Parameters:
    ///   - facts: The facts.
    ///   - treeHead: The newest tree head that the site has seen.
    package init(_ facts: Facts, seen treeHead: String) {
        self.facts = facts
        standing = facts.ledger.standing(of: treeHead, losses: facts.losses)
    }

    /// Greets a participant whose view of the ledger is not compared.
    ///
    /// - Parameter facts: The facts.
    package init(_ facts: Facts) { (self.facts, standing) = (facts, nil) }

    package var ledger: LedgerSnapshot { facts.ledger }

    /// The site has seen entries that are missing here: it may show their receipts and do nothing else.
    package var isRecovery: Bool { if case .isBehind = standing { true } else { false } }

    /// The declared loss to show: the one that explains why the site's view differs, or else the newest one.
    package var loss: ConsortiumState.RecordedLoss? {
        if case .lossDeclared(let loss) = standing { loss } else { facts.losses.last }
    }

    /// Throws a `Refusal` if the site belongs to another ledger.
    package func requireOwnLedger(_ site: SiteID) throws(Refusal) {
        guard case .isForeign(let reason) = standing else { return }
        throw Refusal(
            .conflict,
            "\(site) has seen a tree head that this ledger's key did not sign: \(reason)",
            hint: "is this the right coordinator? compare the log keys with the consortium's auditors"
        )
    }

    /// Returns the welcome.
    ///
    /// - Parameters:
    ///   - sender: The coordinator.
    ///   - version: The version of the protocol.
    ///   - time: The coordinator's time.
    ///   - loss: The receipt of the entry of ``loss``; `nil` if there is none, or it cannot be read.
    package func welcome(_ sender: Sender, version: UInt32, at time: Timestamp, loss: Receipt?) -> Welcome {
        var proof: [Digest] = []
        if case .extends(let found) = standing { proof = found }
        return Welcome(
            version: version,
            consortium: sender.consortium,
            time: time,
            heartbeatSeconds: sender.heartbeatSeconds,
            chunkBytes: sender.chunkBytes,
            logKey: sender.logKey,
            logKeySignature: sender.logKeySignature,
            model: facts.model,
            treeHead: facts.ledger.head.note,
            consistencyProof: proof,
            loss: loss
        )
    }
}
