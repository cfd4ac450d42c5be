import Federation
import NIOConcurrencyHelpers
import Transport

/// Counts what crosses the link, and how far the current transfer is.
final class TransferMeter: Sendable {
    private struct Counts {
        var up: UInt64 = 0
        var down: UInt64 = 0
        var total: UInt64 = 0
        var done: UInt64 = 0
        var isPaused = false
        var moved = ContinuousClock.now
    }

    private let counts = NIOLockedValueBox(Counts())

    func begin(total: UInt64, done: UInt64) {
        counts.withLockedValue { ($0.total, $0.done, $0.moved) = (total, done, .now) }
    }
    func pause(_ isPaused: Bool) { counts.withLockedValue { $0.isPaused = isPaused } }
    func sent(_ bytes: Int) { moved(bytes, \.up) }
    func received(_ bytes: Int) { moved(bytes, \.down) }

    private func moved(_ bytes: Int, _ direction: WritableKeyPath<Counts, UInt64>) {
        counts.withLockedValue {
            $0[keyPath: direction] += UInt64(bytes)
            $0.done += UInt64(bytes)
            $0.moved = .now
        }
    }

    /// The other side has said that it is still there.
    func heard() { counts.withLockedValue { $0.moved = .now } }

    var up: UInt64 { counts.withLockedValue { $0.up } }
    var down: UInt64 { counts.withLockedValue { $0.down } }
    /// Whether the transfer waits for the site's hours.
    var isPaused: Bool { counts.withLockedValue { $0.isPaused } }
    /// Of the current transfer, 0 to 1.
    var progress: Double { counts.withLockedValue { $0.total == 0 ? 0 : Double($0.done) / Double($0.total) } }

    /// Throws where nothing moves for `seconds`: a link can be dead without knowing it.
    func watch(seconds: Int) async throws -> Never {
        while true {
            try await Transport.pause(for: .seconds(max(1, seconds / 10)))
            let moved = counts.withLockedValue { $0.moved }
            if ContinuousClock.now - moved > .seconds(seconds) {
                throw WorkerError("nothing has moved for \(seconds) s")
            }
        }
    }
}
