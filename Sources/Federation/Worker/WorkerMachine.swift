/// The worker's decisions as a value: events in, effects out.
///
/// The link and the work are independent: a lost link interrupts neither training nor what waits in the outbox.
public struct WorkerMachine: Equatable, Sendable {
    public private(set) var isConnected = false
    public private(set) var work: Work
    /// The number of consecutive failed attempts to connect.
    private var failedConnections = 0
    /// The number of consecutive failed transfers or submissions.
    private var failedTransfers = 0
    /// What to do once the current update has been answered.
    private var next: Assignment?

    public enum Work: Equatable, Sendable {
        case resting(reason: String)
        case fetching(TrainingTask)
        case training(TrainingTask)
        /// In the outbox, being uploaded.
        case uploading(PreparedUpdate)
        case submitting(PreparedUpdate)
        /// The campaign has ended; its final model is being downloaded.
        case keeping(CampaignEnd, BlobReference)
        case finished(CampaignEnd)
    }

    public enum Event: Equatable, Sendable {
        case connected
        case disconnected
        case assigned(Assignment)
        case fetched(RoundKey)
        case fetchFailed(RoundKey, String)
        case trained(PreparedUpdate)
        case trainingFailed(RoundKey, String)
        case uploaded(RoundKey)
        case uploadFailed(RoundKey, String)
        case submissionFailed(RoundKey, String)
        /// The coordinator does not have the update's blob, or has it no longer.
        case blobMissing(RoundKey)
        case answered(RoundKey, accepted: Bool, reason: String)
        /// The final model of a campaign is on the site's disk.
        case kept(CampaignID)
        case keepFailed(CampaignID, String)
        /// The update in the outbox is damaged: the site must train again.
        case updateLost(RoundKey)
        /// The pause of a `retry` is over.
        case retryDue
    }

    public enum Effect: Equatable, Sendable {
        /// Connect after this pause, to which the shell adds jitter.
        case connect(afterSeconds: Int)
        /// Disconnect and connect again: the coordinator then repeats the assignment.
        case reconnect
        case fetch(TrainingTask)
        /// Fetch a campaign's final model and keep it.
        case keep(CampaignEnd, BlobReference)
        case train(TrainingTask)
        case stopTraining
        case upload(PreparedUpdate)
        case submit(PreparedUpdate)
        /// The update was answered or is no longer needed: remove it from the outbox.
        case clearOutbox(PreparedUpdate)
        /// Send `retryDue` after this pause; a new retry replaces a pending one.
        case retry(afterSeconds: Int)
    }

    /// The upper limit of the exponential backoff for connecting and for transfers.
    public static let longestPauseSeconds = 60
    /// The upper limit of the exponential backoff for submissions, each of which is one small message.
    public static let longestSubmissionPauseSeconds = 8
    /// The pause before failed training is tried again.
    public static let trainingRetrySeconds = 30

    /// Creates the machine of a worker that is not connected.
    ///
    /// - Parameter outbox: An update that an earlier run of the worker prepared, and whose answer may have been lost.
    public init(outbox: PreparedUpdate? = nil) {
        work = outbox.map(Work.submitting) ?? .resting(reason: Self.notConnected)
    }

    private static let notConnected = "not connected yet"

    /// Handles an event; one about a task that is not in hand leaves `work` as it is.
    ///
    /// - Parameter event: What has happened.
    /// - Returns: The effects to perform, in this order.
    public mutating func handle(_ event: Event) -> [Effect] {
        switch event {
        case .connected:
            (isConnected, failedConnections) = (true, 0)
            if work == .resting(reason: Self.notConnected) {
                work = .resting(reason: "waits for what the coordinator says")
            }
            return transfer()
        case .disconnected: return disconnected()
        case .assigned(let assignment): return follow(assignment)
        case .fetched(let key):
            guard case .fetching(let task) = work, task.key == key else { return [] }
            (work, failedTransfers) = (.training(task), 0)
            return [.train(task)]
        case .trained(let update):
            guard case .training(let task) = work, task.key == update.key else { return [.clearOutbox(update)] }
            work = .uploading(update)
            return isConnected ? [.upload(update)] : []
        case .uploaded(let key):
            guard case .uploading(let update) = work, update.key == key else { return [] }
            (work, failedTransfers) = (.submitting(update), 0)
            return isConnected ? [.submit(update)] : []
        case .answered(let key, _, let reason):
            guard case .submitting(let update) = work, update.key == key else { return [] }
            (work, failedTransfers) = (.resting(reason: reason), 0)
            return [.clearOutbox(update)] + followNext()
        case .blobMissing(let key):
            guard case .submitting(let update) = work, update.key == key else { return [] }
            work = .uploading(update)
            return isConnected ? [.upload(update)] : []
        case .updateLost(let key):
            switch work {
            case .uploading(let update) where update.key == key, .submitting(let update) where update.key == key:
                (work, next, failedTransfers) = (.resting(reason: "the update was lost on the site's disk"), nil, 0)
                return [.clearOutbox(update)] + (isConnected ? [.reconnect] : [])
            default: return []
            }
        case .kept(let campaign):
            guard case .keeping(let end, _) = work, end.campaign == campaign else { return [] }
            (work, failedTransfers) = (.finished(end), 0)
            return []
        case .keepFailed(let campaign, _):
            guard case .keeping(let end, _) = work, end.campaign == campaign else { return [] }
            defer { failedTransfers += 1 }
            return retry(afterSeconds: pause(failedTransfers, atMost: Self.longestPauseSeconds))
        case .fetchFailed(let key, _), .trainingFailed(let key, _), .uploadFailed(let key, _),
            .submissionFailed(let key, _):
            return failed(key)
        case .retryDue: return isConnected ? transfer() : []
        }
    }

    // MARK: The link

    /// Waits a second even after a working link is lost: otherwise two workers with one certificate would displace each
    /// other in a tight loop.
    private mutating func disconnected() -> [Effect] {
        isConnected = false
        defer { failedConnections += 1 }
        return [.connect(afterSeconds: pause(failedConnections, atMost: Self.longestPauseSeconds))]
    }

    /// Exponential backoff: 1, 2, 4 … seconds.
    private func pause(_ failures: Int, atMost longest: Int) -> Int { min(longest, 1 << min(failures, 10)) }

    /// Returns the transfers that the current work needs.
    private func transfer() -> [Effect] {
        switch work {
        case .fetching(let task): [.fetch(task)]
        case .uploading(let update): [.upload(update)]
        // The answer may have been lost with the link; asking again costs only one message.
        case .submitting(let update): [.submit(update)]
        case .keeping(let end, let model): [.keep(end, model)]
        case .resting, .training, .finished: []
        }
    }

    private mutating func failed(_ key: RoundKey) -> [Effect] {
        guard taskKey == key else { return [] }
        defer { failedTransfers += 1 }
        switch work {
        case .uploading(let update) where next != nil:
            // The assignment has changed, so the coordinator may refuse the blob: ask for the update's receipt or
            // refusal.
            work = .submitting(update)
            return retry(afterSeconds: pause(failedTransfers, atMost: Self.longestSubmissionPauseSeconds))
        case .submitting:
            return retry(afterSeconds: pause(failedTransfers, atMost: Self.longestSubmissionPauseSeconds))
        case .fetching, .uploading:
            return retry(afterSeconds: pause(failedTransfers, atMost: Self.longestPauseSeconds))
        case .training(let task):
            if next != nil { return followNext() }
            // The round waits for this site, so try again: a temporary cause must not cost the round.
            work = .fetching(task)
            return retry(afterSeconds: Self.trainingRetrySeconds)
        case .resting, .keeping, .finished: return []
        }
    }

    private func retry(afterSeconds seconds: Int) -> [Effect] { isConnected ? [.retry(afterSeconds: seconds)] : [] }

    // MARK: Assignments

    private mutating func follow(_ assignment: Assignment) -> [Effect] {
        if case .train(let task) = assignment, isInHand(task) {
            next = nil
            return []
        }
        if case .finished(let end, _) = assignment, isOver(end) { return [] }
        switch work {
        case .submitting:
            // The update may be in the ledger: first get its receipt or the reason for its refusal.
            next = assignment
            return []
        case .uploading(let update):
            next = assignment
            guard case .train = assignment else { return [] }
            // Another round is open: ask whether this update is still accepted.
            work = .submitting(update)
            return isConnected ? [.submit(update)] : []
        case .training(let task) where task.isWorthFinishing(under: assignment):
            next = assignment
            return []
        case .training, .fetching, .resting, .keeping, .finished:
            next = nil
            return take(assignment)
        }
    }

    private mutating func followNext() -> [Effect] {
        guard let assignment = next else { return [] }
        next = nil
        return take(assignment)
    }

    private mutating func take(_ assignment: Assignment) -> [Effect] {
        var dropped: [Effect] = []
        if case .training = work { dropped = [.stopTraining] }
        failedTransfers = 0
        switch assignment {
        case .train(let task):
            work = .fetching(task)
            return dropped + (isConnected ? [.fetch(task)] : [])
        case .rest(let reason):
            work = .resting(reason: reason)
            return dropped
        case .finished(let end, nil):
            work = .finished(end)
            return dropped
        case .finished(let end, let model?):
            work = .keeping(end, model)
            return dropped + (isConnected ? [.keep(end, model)] : [])
        }
    }

    /// Whether the worker already knows of this end, and has the model or is fetching it.
    private func isOver(_ end: CampaignEnd) -> Bool {
        switch work {
        case .keeping(let known, _), .finished(let known): known == end
        default: false
        }
    }

    /// Whether the task is another attempt at the round in hand: it starts from the same model, so the work done for it
    /// counts.
    private func isInHand(_ task: TrainingTask) -> Bool {
        switch work {
        case .fetching(let mine), .training(let mine):
            mine.campaign == task.campaign && mine.key.round == task.key.round && mine.model == task.model
                && mine.adapter == task.adapter
        case .uploading(let update), .submitting(let update):
            update.campaign == task.campaign && update.key.round == task.key.round && update.model == task.model.digest
                && update.adapter == task.adapter?.digest
        case .resting, .keeping, .finished: false
        }
    }

    public var taskKey: RoundKey? {
        switch work {
        case .fetching(let task), .training(let task): task.key
        case .uploading(let update), .submitting(let update): update.key
        case .resting, .keeping, .finished: nil
        }
    }
}

extension TrainingTask {
    /// Whether the plan still accepts this task's update after another assignment.
    func isWorthFinishing(under assignment: Assignment) -> Bool {
        switch assignment {
        case .rest: lateRounds > 0
        case .train(let newer):
            newer.campaign == campaign && newer.key.round > key.round && newer.key.round - key.round <= newer.lateRounds
        case .finished: false
        }
    }
}
