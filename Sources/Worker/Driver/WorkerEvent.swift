import Federation
import Protocol
import Wire

/// Why something did not come off, in words for this site.
package struct WorkerFailure: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case other
        /// The disk is full.
        case noRoom
        /// The update's bytes on this site's disk are damaged or gone.
        case updateLost
        /// What leaves the site cannot be put on record, so it does not leave.
        case notOnRecord
    }

    package let reason: String
    package let hint: String
    package let kind: Kind

    package init(_ reason: String, hint: String = "", kind: Kind = .other) {
        self.reason = reason
        self.hint = hint
        self.kind = kind
    }
}

/// What the driver hears.
package enum WorkerEvent: Sendable {
    case started
    /// A coordinator that vouches for its ledger's key has welcomed this site.
    case connected(LinkID, Welcome)
    /// The control connection ended, or could not be made.
    case disconnected(WorkerFailure)
    case judged(LinkID, HistoryVerdict, receipts: [NamedReceipt])
    /// What was asked of the site's memory of the ledger could not be done.
    case memoryFailed(LinkID, WorkerFailure)
    /// The site goes on from the coordinator's ledger, after a loss that it has accepted.
    case wentOn(LinkID)
    case heard(LinkID, ServerFrame)
    /// An assignment as this site may follow it.
    case admitted(LinkID, Assignment, isAsSent: Bool)
    case transferred(Int)
    case transferFailed(Int, WorkerFailure)
    case trained(TrainingTask, TrainedUpdate)
    /// The update is signed, and in the outbox on the disk.
    case prepared(TrainingTask, SignedUpdate)
    case trainingFailed(TrainingTask, WorkerFailure)
    /// The update as it is to be submitted now, and entries that the site has seen.
    case readyToSubmit(LinkID, SignedUpdate, seenEntries: UInt64)
    case receiptKept(RoundKey, entry: UInt64)
    case submissionFailed(RoundKey, WorkerFailure)
    case due(WorkerAlarm)
}

package struct NamedReceipt: Sendable {
    package let name: String
    package let receipt: Receipt
}

/// What the driver wants done; in this order.
package enum WorkerEffect: Sendable {
    /// `jitter`: up to so much is added by chance, so that all sites do not come back at the same instant.
    case wake(WorkerAlarm, afterMilliseconds: Int, jitter: Int)
    case cancel(WorkerAlarm)
    /// Connect; then `connected` or `disconnected`.
    case dial
    /// End the control connection; then `disconnected`.
    case close(LinkID)
    case send(LinkID, ClientMessage, id: UInt64)
    /// Compare the coordinator's ledger with what this site has seen of it; then `judged`.
    case judge(LinkID, Welcome)
    /// The ledger does not hold this receipt's entry any more, as was declared and accepted.
    case setAside(String)
    /// Go on from this ledger; then `wentOn`.
    case goOn(LinkID, Welcome)
    /// A loss waits for the engineer's word.
    case noteLoss(DeclaredLoss)
    /// Whether the site may follow an assignment; then `admitted`.
    case admit(LinkID, Assignment, logKey: [UInt8])
    /// Fetch a blob, if it is not here and sound; then `transferred` or `transferFailed`. It ends the transfer before
    /// it.
    case download(Int, BlobReference, of: TrainingTask?)
    /// Put on record what leaves the site, and send the update's bytes; then `transferred` or `transferFailed`.
    case upload(Int, SignedUpdate)
    /// Keep the final model under its campaign's name; then `transferred` or `transferFailed`.
    case keepModel(Int, CampaignEnd, BlobReference)
    case endTransfer
    /// Remove models but these; an update that waits stays.
    case removeModels(keeping: [Digest])
    /// Train; then `trained`, `trainingFailed`, or nothing where it is stopped.
    case train(TrainingTask)
    case stopTraining
    /// Sign what was trained, and put it into the outbox; then `prepared` or `trainingFailed`.
    case prepare(TrainingTask, TrainedUpdate)
    /// What was trained for this round counts nowhere.
    case forgetTraining(round: Int)
    /// Sign the update again where the certificate was renewed; then `readyToSubmit` or `submissionFailed`.
    case prepareSubmission(LinkID, SignedUpdate)
    /// Check and keep a receipt; then `receiptKept` or `submissionFailed`.
    case keepReceipt(Receipt, proof: [Digest], of: SignedUpdate, logKey: [UInt8])
    /// Take the update out of the outbox.
    case clearOutbox(SignedUpdate)
    case report(WorkerObservation)
}

/// What the driver is woken for; setting one again takes the place of the former.
package enum WorkerAlarm: Hashable, Sendable {
    case connect, retry
    /// An answer to a submission is overdue.
    case answer
}

/// What happens at a site: for its log, its status, for metrics.
package enum WorkerObservation: Sendable {
    case connected(Welcome)
    case notConnected(WorkerFailure)
    case wentOnAfterLoss(LossDeclaration)
    case assignmentNotFollowed(String)
    /// The site does something else now.
    case working(WorkerMachine.Work)
    case failed(String, RoundKey?, WorkerFailure)
    case trainingFailed(RoundKey, WorkerFailure)
    case updateLost(RoundKey, WorkerFailure)
    case updateAccepted(RoundKey, entry: UInt64)
    case updateRefused(RoundKey, UpdateRefusal)
    case updateMissing(RoundKey)
    case updatePostponed(RoundKey, String)
    case refused(Refusal)
}
