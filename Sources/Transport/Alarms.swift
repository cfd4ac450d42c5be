import NIOCore
import NIOPosix

/// The alarms of a driver: each rings once, and setting one again replaces it.
package struct Alarms<Alarm: Hashable & Sendable>: Sendable {
    private var scheduled: [Alarm: Scheduled<Void>] = [:]

    package init() {}

    /// - Parameter ring: Called once the time is over, on any thread.
    package mutating func set(
        _ alarm: Alarm,
        afterMilliseconds milliseconds: Int64,
        ring: @escaping @Sendable (Alarm) -> Void
    ) {
        cancel(alarm)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        scheduled[alarm] = loop.scheduleTask(in: .milliseconds(milliseconds)) { ring(alarm) }
    }

    package mutating func cancel(_ alarm: Alarm) { scheduled.removeValue(forKey: alarm)?.cancel() }

    package mutating func cancelAll() {
        for alarm in scheduled.values { alarm.cancel() }
        scheduled = [:]
    }
}
