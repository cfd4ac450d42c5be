/// What an operator's change does to a round that is under way.
extension RoundState {
    /// Moves all that waits: a pause is over, or the clock was corrected.
    mutating func shift(milliseconds: Int64) {
        since = since.adding(milliseconds: milliseconds)
        guard case .collecting(var collection) = phase else { return }
        collection.openedAt = collection.openedAt.adding(milliseconds: milliseconds)
        collection.deadline = collection.deadline.adding(milliseconds: milliseconds)
        phase = .collecting(collection)
    }

    /// Goes on under an amended plan. What a dropped site had sent counts; nothing more is asked of it.
    mutating func adopt(_ amended: Plan, without dropped: [SiteID]) {
        let deadlineChanged = amended.deadlineSeconds != plan.deadlineSeconds
        plan = amended
        inheritance.asked.subtract(dropped.filter { inheritance.accepted[$0] == nil })
        for index in inheritance.formerRounds.indices { inheritance.formerRounds[index].missing.subtract(dropped) }
        guard case .collecting(var collection) = phase else { return }
        let kept = collection.cohort.filter { site in !dropped.contains(site) || collection.accepted[site] != nil }
        collection.cohort = kept
        // An extension was counted from the old deadline, and stays.
        if deadlineChanged, collection.extensions == 0 {
            collection.deadline = collection.openedAt.adding(seconds: amended.deadlineSeconds)
        }
        phase = .collecting(collection)
    }
}
