/// The worker's decisions as a value: events in, effects out.
///
/// The link and the work are apart: a lost link stops neither training nor what waits in the outbox.
public struct WorkerMachine: Equatable, Sendable {
    public private(set) var isConnected = false
    public private(set) var work: Work
    private var failedConnections = 0
    /// What the site should do once the update that is on its way has its answer.
    private var next: Assignment?

    public enum Work: Equatable, Sendable {
        case resting(reason: String)
        case fetching(TrainingTask)
        case training(TrainingTask)
        /// In the outbox, on its way up.
        case uploading(PreparedUpdate)
        case submitting(PreparedUpdate)
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
        /// The coordinator does not have the update's blob (any more).
        case blobMissing(RoundKey)
        case answered(RoundKey, accepted: Bool, reason: String)
    }

    public enum Effect: Equatable, Sendable {
        /// Connect after this pause, to which the shell adds jitter.
        case connect(afterSeconds: Int)
        case fetch(TrainingTask)
        case train(TrainingTask)
        case stopTraining
        case upload(PreparedUpdate)
        case submit(PreparedUpdate)
        /// The update was answered, or is of no more use: take it out of the outbox.
        case clearOutbox(PreparedUpdate)
        /// Try the transfer again after this pause.
        case retry(afterSeconds: Int)
    }

    /// Pauses between attempts to connect double up to this.
    public static let longestPauseSeconds = 60
    /// Pause before training is tried again after it failed.
    public static let trainingRetrySeconds = 30

    /// `outbox`: an update that a former run of the worker prepared and that has no answer yet.
    public init(outbox: PreparedUpdate? = nil) {
        work = outbox.map(Work.uploading) ?? .resting(reason: "not connected yet")
    }

    /// The pause before the next attempt to connect: 0, 1, 2, 4 … seconds.
    public var pauseSeconds: Int {
        failedConnections == 0 ? 0 : min(Self.longestPauseSeconds, 1 << min(failedConnections - 1, 10))
    }

    public mutating func handle(_ event: Event) -> [Effect] {
        switch event {
        case .connected: return connected()
        case .disconnected: return disconnected()
        case .assigned(let assignment): return follow(assignment)
        case .fetched(let key):
            guard case .fetching(let task) = work, task.key == key else { return [] }
            work = .training(task)
            return [.train(task)]
        case .trained(let update):
            guard case .training(let task) = work, task.key == update.key else { return [.clearOutbox(update)] }
            work = .uploading(update)
            return isConnected ? [.upload(update)] : []
        case .uploaded(let key):
            guard case .uploading(let update) = work, update.key == key else { return [] }
            work = .submitting(update)
            return isConnected ? [.submit(update)] : []
        case .answered(let key, _, let reason):
            guard case .submitting(let update) = work, update.key == key else { return [] }
            work = .resting(reason: reason)
            return [.clearOutbox(update)] + followNext()
        case .blobMissing(let key):
            guard case .submitting(let update) = work, update.key == key else { return [] }
            work = .uploading(update)
            return isConnected ? [.upload(update)] : []
        case .fetchFailed(let key, let reason), .trainingFailed(let key, let reason), .uploadFailed(let key, let reason),
            .submissionFailed(let key, let reason):
            return failed(key, reason)
        }
    }

    private mutating func connected() -> [Effect] {
        isConnected = true
        failedConnections = 0
        return transfer()
    }

    private mutating func disconnected() -> [Effect] {
        isConnected = false
        let pause = pauseSeconds
        failedConnections += 1
        return [.connect(afterSeconds: pause)]
    }

    /// What the link carries in this phase.
    private func transfer() -> [Effect] {
        switch work {
        case .fetching(let task): [.fetch(task)]
        case .uploading(let update): [.upload(update)]
        // The upload may have been lost with the link; offering it again costs one message.
        case .submitting(let update): [.submit(update)]
        case .resting, .training, .finished: []
        }
    }

    private mutating func follow(_ assignment: Assignment) -> [Effect] {
        if case .train(let task) = assignment, taskKey == task.key, campaign == task.campaign { return [] }
        switch (work, assignment) {
        case (.submitting, _), (.uploading, .rest), (.uploading, .finished):
            // The update may be in the ledger: it wants its receipt, or the reason why not, before anything else.
            next = assignment
            return []
        default:
            next = nil
            return take(assignment)
        }
    }

    private mutating func followNext() -> [Effect] {
        defer { next = nil }
        return next.map { follow($0) } ?? []
    }

    private mutating func take(_ assignment: Assignment) -> [Effect] {
        let dropped = drop()
        switch assignment {
        case .train(let task):
            work = .fetching(task)
            return dropped + (isConnected ? [.fetch(task)] : [])
        case .rest(let reason):
            work = .resting(reason: reason)
            return dropped
        case .finished(let end):
            work = .finished(end)
            return dropped
        }
    }

    private mutating func failed(_ key: RoundKey, _ reason: String) -> [Effect] {
        guard taskKey == key else { return [] }
        switch work {
        case .uploading(let update) where next != nil:
            // The coordinator wants something else by now and may refuse the blob: ask for the update's receipt, or why not.
            work = .submitting(update)
            return isConnected ? [.submit(update)] : []
        case .fetching, .uploading, .submitting: return isConnected ? [.retry(afterSeconds: 1)] : []
        case .training(let task):
            // The round waits for this site: a cause that passes must not cost it.
            work = .fetching(task)
            return isConnected ? [.retry(afterSeconds: Self.trainingRetrySeconds)] : []
        default: return []
        }
    }

    /// After the pause of a `retry`.
    public mutating func retry() -> [Effect] { isConnected ? transfer() : [] }

    private func drop() -> [Effect] {
        switch work {
        case .training: [.stopTraining]
        case .uploading(let update), .submitting(let update): [.clearOutbox(update)]
        default: []
        }
    }

    public var taskKey: RoundKey? {
        switch work {
        case .fetching(let task), .training(let task): task.key
        case .uploading(let update), .submitting(let update): update.key
        case .resting, .finished: nil
        }
    }

    private var campaign: CampaignID? {
        switch work {
        case .fetching(let task), .training(let task): task.campaign
        case .uploading(let update), .submitting(let update): update.campaign
        case .resting, .finished: nil
        }
    }
}
