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
    }

    private let counts = NIOLockedValueBox(Counts())
    /// A dead connection may cause no other error.
    let stall = StallDetector(seconds: stalledSeconds) {
        WorkerError("no data were transferred for \(stalledSeconds) s")
    }
    /// A transfer in which no data move for this long is restarted.
    private static let stalledSeconds = 300

    func begin(total: UInt64, done: UInt64) {
        counts.withLockedValue { ($0.total, $0.done) = (total, done) }
        stall.progress()
    }
    func pause(_ isPaused: Bool) { counts.withLockedValue { $0.isPaused = isPaused } }
    func sent(_ bytes: Int) { moved(bytes, \.up) }
    func received(_ bytes: Int) { moved(bytes, \.down) }

    private func moved(_ bytes: Int, _ direction: WritableKeyPath<Counts, UInt64>) {
        counts.withLockedValue {
            $0[keyPath: direction] += UInt64(bytes)
            $0.done += UInt64(bytes)
        }
        stall.progress()
    }

    /// Records that the other side has sent a message.
    func messageReceived() { stall.progress() }

    var up: UInt64 { counts.withLockedValue { $0.up } }
    var down: UInt64 { counts.withLockedValue { $0.down } }
    /// Whether the transfer waits for the site's hours.
    var isPaused: Bool { counts.withLockedValue { $0.isPaused } }
    /// The progress of the current transfer, from 0 to 1.
    var progress: Double { counts.withLockedValue { $0.total == 0 ? 0 : Double($0.done) / Double($0.total) } }
}
