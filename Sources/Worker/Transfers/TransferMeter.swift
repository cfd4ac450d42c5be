import Federation
import NIOConcurrencyHelpers
import Transport

/// Counts the transferred bytes, and the progress of the current transfer.
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

    /// Notes that the other side has sent a message.
    func heard() { counts.withLockedValue { $0.moved = .now } }

    var up: UInt64 { counts.withLockedValue { $0.up } }
    var down: UInt64 { counts.withLockedValue { $0.down } }
    /// Whether the transfer waits for the site's hours.
    var isPaused: Bool { counts.withLockedValue { $0.isPaused } }
    /// The progress of the current transfer, from 0 to 1.
    var progress: Double { counts.withLockedValue { $0.total == 0 ? 0 : Double($0.done) / Double($0.total) } }

    /// Throws if no data move for `seconds`, because a dead connection may cause no other error.
    func watch(seconds: Int) async throws -> Never {
        while true {
            try await Transport.pause(for: .seconds(max(1, seconds / 10)))
            let moved = counts.withLockedValue { $0.moved }
            if ContinuousClock.now - moved > .seconds(seconds) {
                throw WorkerError("no data were transferred for \(seconds) s")
            }
        }
    }
}
