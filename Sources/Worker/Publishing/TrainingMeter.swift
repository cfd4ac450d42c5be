import NIOConcurrencyHelpers

/// The progress of the current training; written by its thread and read for heartbeats.
final class TrainingMeter: Sendable {
    private let state = NIOLockedValueBox((progress: 0.0, loss: 0.0, generation: 0, waitsForRoom: false))

    /// Begins a training.
    ///
    /// - Returns: A token for ``update(_:_:token:)``.
    func begin() -> Int {
        state.withLockedValue {
            $0.generation += 1
            ($0.progress, $0.loss, $0.waitsForRoom) = (0, 0, false)
            return $0.generation
        }
    }

    func stop() { state.withLockedValue { $0.generation += 1 } }

    /// Records progress.
    ///
    /// - Throws: `CancellationError` if this training was stopped or another one has begun.
    func update(_ progress: Double, _ loss: Float, token: Int) throws {
        try state.withLockedValue {
            guard $0.generation == token else { throw CancellationError() }
            ($0.progress, $0.loss) = (progress, Double(loss))
        }
    }

    var progress: Double { state.withLockedValue { $0.progress } }
    /// Whether a trained update cannot be written because the disk is full.
    var waitsForRoom: Bool {
        get { state.withLockedValue { $0.waitsForRoom } }
        set { state.withLockedValue { $0.waitsForRoom = newValue } }
    }
    var loss: Double { state.withLockedValue { $0.loss } }
}
