/// Deliberate mistakes, to show that the checks detect them. They exist only in the simulation.
package enum Mistake: String, CaseIterable, Sendable {
    /// The ledger reports entries as durable before they are.
    case acknowledgeBeforeSync
    /// A site is told that its update was accepted although the entry could not be written.
    case answerBeforeRecord
    /// An update that is submitted twice counts twice.
    case countDuplicate
    /// Updates are summed as floats, in the order of arrival.
    case sumInOrderOfArrival
    /// A round whose computation a crash interrupted is not computed again.
    case forgetUnderWay
    /// A blob's bytes are assumed to match its name.
    case trustBlobNames
    /// A site removes its update from the outbox when it has been sent, instead of when it has been answered.
    case forgetUnanswered
    /// A site's files are not synchronised.
    case skipSiteSync
    /// An operator is told that the campaign has stopped, but it continues.
    case forgetStop
    /// An operator is told that the campaign is paused, but it continues.
    case forgetPause
    /// An operator is told that a site was dropped, but it is still asked.
    case forgetAmendment
    /// A coordinator that was restored from an older backup continues as if its sites had seen nothing newer.
    case goOnFromBackup
    /// A site forgets what it has seen when its coordinator is restored from an older backup.
    case forgetHistory
    /// Uploads are reported as durable but are not synchronised.
    case skipUploadSync
    /// A site that names a blob is assumed to have uploaded it, if any site has.
    case shareUploads
}
