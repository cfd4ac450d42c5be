/// Deliberate mistakes, to show that the checks bite. Each lives in the simulation alone.
public enum Mistake: String, CaseIterable, Sendable {
    /// The ledger says that entries are durable before they are.
    case acknowledgeBeforeSync
    /// A site hears of its acceptance although the entry could not be written.
    case answerBeforeRecord
    /// An update that is submitted twice counts twice.
    case countDuplicate
    /// Updates are summed as floats, in the order of their arrival.
    case sumInOrderOfArrival
    /// A round that was being computed when the coordinator died is not taken up again.
    case forgetUnderWay
    /// A blob is believed to have the bytes that its name promises.
    case trustBlobNames
    /// A site takes its update out of the outbox when it has been sent, and not when it has been answered.
    case forgetUnanswered
    /// A site's files are not synchronised.
    case skipSiteSync
    /// Uploads are said to be durable and are not synchronised.
    case skipUploadSync
    /// Who names a blob is believed to have sent it, where anybody has.
    case shareUploads
}
