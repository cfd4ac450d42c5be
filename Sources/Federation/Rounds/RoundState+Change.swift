/// The effect of an operator's change on a running round.
extension RoundState {
    /// Moves all waiting times, after a pause or a correction of the clock.
    mutating func shift(milliseconds: Int64) {
        since = since.adding(milliseconds: milliseconds)
        guard case .collecting(var collection) = phase else { return }
        collection.openedAt = collection.openedAt.adding(milliseconds: milliseconds)
        collection.deadline = collection.deadline.adding(milliseconds: milliseconds)
        phase = .collecting(collection)
    }

    /// Continues under an amended plan. Updates that a dropped site has already sent count, but it is not asked for
    /// more.
    mutating func adopt(_ amended: Plan, without dropped: [SiteID]) {
        let deadlineChanged = amended.deadlineSeconds != plan.deadlineSeconds
        plan = amended
        inheritance.asked.subtract(dropped.filter { inheritance.accepted[$0] == nil })
        for index in inheritance.formerRounds.indices { inheritance.formerRounds[index].missing.subtract(dropped) }
        guard case .collecting(var collection) = phase else { return }
        let kept = collection.cohort.filter { site in !dropped.contains(site) || collection.accepted[site] != nil }
        collection.cohort = kept
        // An extended deadline is kept, because it was counted from the old one.
        if deadlineChanged, collection.extensions == 0 {
            collection.deadline = collection.openedAt.adding(seconds: amended.deadlineSeconds)
        }
        phase = .collecting(collection)
    }
}
