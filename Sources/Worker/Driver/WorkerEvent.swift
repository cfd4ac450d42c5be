import Federation
import Protocol
import Wire

/// The reason why an operation failed, for this site only.
package struct WorkerFailure: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case other
        /// The disk is full.
        case noRoom
        /// The update's bytes on this site's disk are damaged or gone.
        case updateLost
        /// The transfer could not be recorded, so nothing was sent.
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

/// An event for the driver.
package enum WorkerEvent: Sendable {
    case started
    /// A coordinator whose certificate has signed its ledger's key has welcomed this site.
    case connected(LinkID, Welcome)
    /// The control connection ended, or could not be established.
    case disconnected(WorkerFailure)
    case historyCompared(LinkID, HistoryVerdict, receipts: [NamedReceipt])
    /// An operation of the site's ledger memory failed.
    case memoryFailed(LinkID, WorkerFailure)
    /// The site continues with the coordinator's ledger, after a loss that it has accepted.
    case continuedAfterLoss(LinkID)
    case received(LinkID, ServerFrame)
    /// The assignment that this site may follow; it differs from the one that was sent if `isAsSent` is false.
    case admitted(LinkID, Assignment, isAsSent: Bool)
    case transferred(Int)
    case transferFailed(Int, WorkerFailure)
    case trained(TrainingTask, TrainedUpdate)
    /// The update is signed, and is in the outbox on disk.
    case prepared(TrainingTask, SignedUpdate)
    case trainingFailed(TrainingTask, WorkerFailure)
    /// The update to submit, and the number of ledger entries that the site has seen.
    case readyToSubmit(LinkID, SignedUpdate, seenEntries: UInt64)
    case receiptKept(RoundKey, entry: UInt64)
    case submissionFailed(RoundKey, WorkerFailure)
    case due(WorkerAlarm)
}

package struct NamedReceipt: Sendable {
    package let name: String
    package let receipt: Receipt
}

/// An action that the driver requests. Effects must be performed in order.
package enum WorkerEffect: Sendable {
    /// Set an alarm. A random time up to `jitter` is added, so that the sites do not all reconnect at the same moment.
    case wake(WorkerAlarm, afterMilliseconds: Int, jitter: Int)
    case cancel(WorkerAlarm)
    /// Connect; the result is `connected` or `disconnected`.
    case dial
    /// End the control connection; the result is `disconnected`.
    case close(LinkID)
    case send(LinkID, ClientMessage, id: UInt64)
    /// Compare the coordinator's ledger with what this site has seen of it; the result is `historyCompared`.
    case compareHistory(LinkID, Welcome)
    /// Move a receipt aside: its entry is no longer in the ledger, and the loss was declared and accepted.
    case setAside(String)
    /// Continue with this ledger; the result is `continuedAfterLoss`.
    case continueAfterLoss(LinkID, Welcome)
    /// Store a loss that waits until the engineer accepts it.
    case storeLoss(DeclaredLoss)
    /// Check whether the site may follow an assignment; the result is `admitted`.
    case admit(LinkID, Assignment, logKey: [UInt8])
    /// Fetch a blob, unless it is already here and undamaged; the result is `transferred` or `transferFailed`. Ends the
    /// previous transfer.
    case download(Int, BlobReference, of: TrainingTask?)
    /// Record that the update leaves the site, and send its bytes; the result is `transferred` or `transferFailed`.
    case upload(Int, SignedUpdate)
    /// Keep the final model under its campaign's name; the result is `transferred` or `transferFailed`.
    case keepModel(Int, CampaignEnd, BlobReference)
    case endTransfer
    /// Remove all models except these; an update that waits is kept.
    case removeModels(keeping: [Digest])
    /// Train; the result is `trained` or `trainingFailed`, or nothing if the training is stopped.
    case train(TrainingTask)
    case stopTraining
    /// Sign the trained update, and put it into the outbox; the result is `prepared` or `trainingFailed`.
    case prepare(TrainingTask, TrainedUpdate)
    /// Discard the training of this round: its update will never count.
    case forgetTraining(round: Int)
    /// Sign the update again if the certificate was renewed; the result is `readyToSubmit` or `submissionFailed`.
    case prepareSubmission(LinkID, SignedUpdate)
    /// Check and keep a receipt; the result is `receiptKept` or `submissionFailed`.
    case keepReceipt(Receipt, proof: [Digest], of: SignedUpdate, logKey: [UInt8])
    /// Remove the update from the outbox.
    case clearOutbox(SignedUpdate)
    case report(WorkerObservation)
}

/// An alarm of the driver. Setting it again replaces the earlier setting.
package enum WorkerAlarm: Hashable, Sendable {
    case connect, retry
    /// An answer to a submission is overdue.
    case answer
}

/// An observation at a site, for its log, status and metrics.
package enum WorkerObservation: Sendable {
    case connected(Welcome)
    case notConnected(WorkerFailure)
    case continuedAfterLoss(LossDeclaration)
    case assignmentNotFollowed(String)
    /// The site's work has changed.
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
