import Federation
import Ledger
import Wire

/// Connects the coordinator's state machine with the outside world, without I/O: events in, effects out.
///
/// The shell has a clock, a disk, links and threads. It performs the effects in order and reports their outcomes as
/// events; a simulator does the same with its own world. Nothing that follows from a decision leaves the driver before
/// the decision's entries are on the disk. While they are written, further events wait, and are then decided and
/// written together (group commit).
package struct CoordinatorDriver: Sendable {
    package internal(set) var machine: CoordinatorMachine
    /// The ledger as it is on the disk.
    package private(set) var ledger: LedgerSnapshot
    /// The sites that have connected since the start.
    package internal(set) var sites: [SiteID: SitePresence] = [:]
    /// What sites have seen but the ledger lacks; `nil` if nothing is missing.
    package internal(set) var recovery: LedgerRecovery?
    /// The wait for the sites after a start; `nil` once enough of them have reported what they have seen.
    package internal(set) var startupWait: StartupWait?
    /// Why the ledger could not be written or read the last time; `nil` if it could.
    package private(set) var ledgerFailure: String?
    private var disk = DiskState.agrees
    /// Events that arrived while the ledger was written or read.
    private var backlog: [CoordinatorEvent] = []
    /// Whether to resume: decisions may be due since a restart or since a time in which nothing could be decided.
    var mustResume = false
    private var retryIsSet = false
    private var isStopping = false
    /// Callers that wait to read the state once it is on the disk.
    private var durableReaders: [@Sendable (CoordinatorDriver) -> Void] = []
    var turn = Turn()
    /// Submissions whose updates are being inspected.
    var submissions: [RequestID: SubmissionInHand] = [:]
    /// Updates that are in the shared store but not decided on yet: no sweep may remove them.
    var published: Set<Digest> = []
    /// The submission that is being decided on.
    var answering: SubmissionInHand?
    /// Receipts whose entries are being restored, or were just looked up.
    var shown: [RequestID: Receipt] = [:]
    /// The round that is being computed.
    var aggregating: AggregationTask?

    /// How the ledger in memory relates to the one on the disk.
    private enum DiskState: Sendable {
        case agrees
        /// Entries are being written; the effects that depend on them wait.
        case writing(Turn)
        /// It is being read again, perhaps after restoring entries.
        case reading(Restoration?)
        /// It could not be read: its content is unknown, and nothing is decided or answered from it.
        case unknown
    }

    /// The decisions of one turn.
    struct Turn: Sendable {
        var entries: [Entry] = []
        /// Effects that depend on no entry: performed at once.
        var prompt: [CoordinatorEffect] = []
        /// Effects to perform when the entries are on the disk.
        var held: [CoordinatorEffect] = []
        var announces = false
        var assigned: Set<SiteID> = []
        /// Whether these entries declare a loss: nothing is missing once they are written.
        var declaresLoss = false
        var restoration: Restoration?
    }

    /// Entries that the ledger has lost, and the request to answer when they are restored.
    struct Restoration: Sendable {
        let entries: [[UInt8]]
        let request: RequestID
    }

    /// How long the coordinator waits before it retries a failed ledger write or a failed round computation.
    package static let retryMilliseconds: Int64 = 5000

    /// - Parameters:
    ///   - state: The fold of the ledger's entries.
    ///   - ledger: The ledger as it was read.
    ///   - recovery: What was known to be missing before a restart.
    package init(state: ConsortiumState, ledger: LedgerSnapshot, recovery: LedgerRecovery? = nil) {
        machine = CoordinatorMachine(state: state)
        self.ledger = ledger
        self.recovery = recovery
    }

    /// Whether entries are being written or the disk is being read: the machine's state is not durable yet.
    package var isUnsettled: Bool {
        switch disk {
        case .agrees, .unknown: false
        case .writing, .reading: true
        }
    }

    /// Calls `body` at once, or as soon as everything decided so far is on the disk.
    package mutating func whenDurable(_ body: @escaping @Sendable (CoordinatorDriver) -> Void) {
        if isUnsettled { durableReaders.append(body) } else { body(self) }
    }

    /// Stops deciding. Entries that are being written are still completed.
    package mutating func stop(at now: Timestamp) -> [CoordinatorEffect] {
        isStopping = true
        let waiting = submissions.keys
        submissions = [:]
        return waiting.map { .reply($0, .refused(Self.stopping)) } + (isUnsettled ? [] : takeTurn(at: now))
    }

    private static let stopping = Refusal(
        .unavailable,
        "the coordinator is stopping",
        hint: "try again when it has been started"
    )

    // MARK: Events

    package mutating func handle(_ event: CoordinatorEvent, at now: Timestamp) -> [CoordinatorEffect] {
        switch event {
        case .appended(let snapshot): return appended(snapshot, at: now)
        case .appendFailed(let reason): return appendFailed(reason)
        case .read(let state, let snapshot): return read(state, snapshot, at: now)
        case .readFailed(let reason): return readFailed(reason, at: now)
        default:
            backlog.append(event)
            return isUnsettled ? [] : takeTurn(at: now)
        }
    }

    /// Decides on all events that arrived since the last turn.
    private mutating func takeTurn(at now: Timestamp) -> [CoordinatorEffect] {
        turn = Turn()
        let (events, durableReaders) = (backlog, durableReaders)
        (backlog, self.durableReaders) = ([], [])
        for reader in durableReaders { reader(self) }
        guard !isStopping else { return refuseAll(events) }
        resumeIfPossible(at: now)
        for (index, event) in events.enumerated() {
            take(event, at: now)
            guard turn.restoration == nil else {
                // Restore first: its entries must be read before anything else is decided.
                backlog = Array(events[(index + 1)...])
                break
            }
        }
        if turn.restoration == nil { resumeIfPossible(at: now) }
        return endTurn(at: now)
    }

    private func refuseAll(_ events: [CoordinatorEvent]) -> [CoordinatorEffect] {
        events.compactMap {
            if case .asked(let request, _) = $0 { .reply(request, .refused(Self.stopping)) } else { nil }
        }
    }

    private mutating func endTurn(at now: Timestamp) -> [CoordinatorEffect] {
        for site in (turn.announces ? Set(sites.keys) : turn.assigned).sorted() { assign(site, at: now) }
        let turn = turn
        self.turn = Turn()
        guard turn.entries.isEmpty else {
            disk = .writing(turn)
            return turn.prompt + [.append(turn.entries)]
        }
        guard let restoration = turn.restoration else { return turn.prompt + turn.held + alarms(at: now) }
        disk = .reading(restoration)
        return turn.prompt + turn.held + [.restore(restoration.entries)]
    }

    private mutating func take(_ event: CoordinatorEvent, at now: Timestamp) {
        switch event {
        case .started: start(at: now)
        case .greeted(let site, let standing): greeted(site, standing)
        case .arrived(let site, let link, let certificate): arrived(site, link, certificate, at: now)
        case .left(let site, let link): left(site, link, at: now)
        case .asked(let id, let request): answer(id, request, at: now)
        case .inspected(let id, let inspection): inspected(id, inspection, at: now)
        case .published(let id, let inspection): decideSubmission(id, inspection, at: now)
        case .computed(let task, let outcome): computed(task, outcome, at: now)
        case .due(let alarm): due(alarm, at: now)
        case .appended, .appendFailed, .read, .readFailed: break
        }
    }

    private mutating func due(_ alarm: CoordinatorAlarm, at now: Timestamp) {
        switch alarm {
        case .tick: decide(at: now) { $0.handle(.tick, at: now) }
        case .retry:
            retryIsSet = false
            if case .unknown = disk { turn.prompt.append(.reload) } else { ledgerFailure = nil }
            if let obstacle = obstacle(at: now) { observeNow(.undecided(obstacle.message, hint: obstacle.hint)) }
        case .fullAttendance:
            startupWait?.acceptQuorum()
            endStartupWaitIfOver()
        case .startupWait: endStartupWait()
        case .computation: if let aggregating { turn.prompt.append(.compute(aggregating)) }
        }
    }

    // MARK: The disk

    private mutating func appended(_ snapshot: LedgerSnapshot, at now: Timestamp) -> [CoordinatorEffect] {
        guard case .writing(let written) = disk else { return [] }
        (disk, ledger, ledgerFailure) = (.agrees, snapshot, nil)
        if written.declaresLoss { historyIsWhole() }
        if let restoration = written.restoration { answerShown(restoration.request) }
        let settled = turn.prompt + turn.held
        return written.held + settled + takeTurn(at: now)
    }

    /// The ledger on the disk is authoritative: what could not be written has not happened. Whether it was written is
    /// unknown until the ledger is read again.
    private mutating func appendFailed(_ reason: String) -> [CoordinatorEffect] {
        guard case .writing(let lost) = disk else { return [] }
        ledgerFailure = "nothing is decided, because the ledger cannot be written: \(reason)"
        let refusal = Refusal(
            .unavailable,
            "the coordinator cannot write its ledger: \(reason)",
            hint: "the operator must check the coordinator's disk; the coordinator continues by itself afterwards"
        )
        var effects: [CoordinatorEffect] = [.report(.undecided(refusal.message, hint: refusal.hint))]
        for effect in lost.held {
            if case .reply(let request, _) = effect { effects.append(.reply(request, .refused(refusal))) }
            // This computation has not started.
            if case .compute(let task) = effect, task == aggregating { aggregating = nil }
        }
        mustResume = true
        disk = .reading(lost.restoration)
        return effects + [lost.restoration.map { .restore($0.entries) } ?? .reload]
    }

    private mutating func read(_ state: ConsortiumState, _ snapshot: LedgerSnapshot, at now: Timestamp)
        -> [CoordinatorEffect]
    {
        machine = CoordinatorMachine(state: state, presence: machine.presence)
        ledger = snapshot
        turn = Turn()
        switch disk {
        case .reading(let restoration?): restored(restoration)
        case .unknown: ledgerFailure = nil
        case .reading(nil), .agrees, .writing: break
        }
        disk = .agrees
        let effects = turn.prompt + turn.held
        // Give a disk that has just failed some seconds, unless a request is waiting.
        return effects + (ledgerFailure == nil || !backlog.isEmpty || isStopping ? takeTurn(at: now) : alarms(at: now))
    }

    private mutating func readFailed(_ reason: String, at now: Timestamp) -> [CoordinatorEffect] {
        var effects: [CoordinatorEffect] = []
        if case .reading(let restoration?) = disk {
            shown[restoration.request] = nil
            effects = [
                .reply(
                    restoration.request,
                    .refused(Refusal(.unavailable, "the coordinator cannot use its ledger: \(reason)"))
                )
            ]
        }
        disk = .unknown
        ledgerFailure = "nothing is decided, because the ledger cannot be read: \(reason)"
        mustResume = true
        return effects + takeTurn(at: now)
    }

    /// Why the ledger cannot be used; `nil` if it can.
    var unreadable: Refusal? {
        guard case .unknown = disk else { return nil }
        return Refusal(.unavailable, "the coordinator cannot read its ledger now", hint: "it tries again automatically")
    }

    // MARK: Alarms

    private mutating func alarms(at now: Timestamp) -> [CoordinatorEffect] {
        guard startupWait == nil else { return [] }
        guard ledgerFailure == nil, !mustResume, obstacle(at: now) == nil else {
            // A tick that is due would only fail again immediately.
            guard !retryIsSet else { return [.cancel(.tick)] }
            retryIsSet = true
            return [.cancel(.tick), .wake(.retry, afterMilliseconds: Self.retryMilliseconds)]
        }
        guard let wake = machine.wakeTime else { return [.cancel(.tick)] }
        // Clocks can be set, so a long sleep is divided into shorter ones.
        let wait = wake > now ? min(Int64(wake.milliseconds - now.milliseconds), 3_600_000) : 0
        return [.wake(.tick, afterMilliseconds: wait + 1)]
    }
}
