import NIOConcurrencyHelpers

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
