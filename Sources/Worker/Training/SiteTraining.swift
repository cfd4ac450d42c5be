import Federation
import NIOConcurrencyHelpers

/// How a site trains: a plug. What comes of it is an update in the site's store.
public protocol SiteTraining: Sendable {
    /// Trains by the task, and blocks while it does. `progress` hears how far it is, from 0 to 1, and the loss; it
    /// stops the work by throwing.
    func run(_ task: TrainingTask, progress: (Double, Float) throws -> Void) throws -> TrainedUpdate
    /// The update of `task` is safe in the outbox: what was kept to train it can go.
    func finished(_ task: TrainingTask)
    /// The update of this round was refused or given up: it counts nowhere, and what was kept for the one after it is
    /// void.
    func discarded(round: Int)
}

extension SiteTraining {
    public func discarded(round: Int) {}
}

/// An update that lies in the site's store, not signed yet.
public struct TrainedUpdate: Equatable, Sendable {
    public let digest: Digest
    public let byteCount: UInt64
    /// Demonstration samples that it was trained on.
    public let samples: UInt32
    /// Mean over the local steps.
    public let loss: Double

    public init(digest: Digest, byteCount: UInt64, samples: UInt32, loss: Double) {
        self.digest = digest
        self.byteCount = byteCount
        self.samples = samples
        self.loss = loss
    }
}

/// How the current training goes; written by its thread, read by the heartbeat.
final class TrainingMeter: Sendable {
    private let state = NIOLockedValueBox((progress: 0.0, loss: 0.0, generation: 0, waitsForRoom: false))

    /// Begins a training; the token says later whether it is still wanted.
    func begin() -> Int {
        state.withLockedValue {
            $0.generation += 1
            ($0.progress, $0.loss, $0.waitsForRoom) = (0, 0, false)
            return $0.generation
        }
    }

    func stop() { state.withLockedValue { $0.generation += 1 } }

    /// Notes progress; throws where another training has begun since or this one was stopped.
    func note(_ progress: Double, _ loss: Float, token: Int) throws {
        try state.withLockedValue {
            guard $0.generation == token else { throw CancellationError() }
            ($0.progress, $0.loss) = (progress, Double(loss))
        }
    }

    var progress: Double { state.withLockedValue { $0.progress } }
    /// Whether a trained update cannot be written for lack of room.
    var waitsForRoom: Bool {
        get { state.withLockedValue { $0.waitsForRoom } }
        set { state.withLockedValue { $0.waitsForRoom = newValue } }
    }
    var loss: Double { state.withLockedValue { $0.loss } }
}
