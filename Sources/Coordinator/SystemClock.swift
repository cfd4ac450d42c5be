import Federation
import Glibc
import NIOConcurrencyHelpers

/// Returns the system clock's time in milliseconds since 1970.
package func systemTime() -> Timestamp { Timestamp(milliseconds: milliseconds(CLOCK_REALTIME)) }

/// Returns the milliseconds since boot, including sleep. This clock cannot be set.
package func steadyMilliseconds() -> UInt64 { milliseconds(CLOCK_BOOTTIME) }

private func milliseconds(_ clock: clockid_t) -> UInt64 {
    var now = timespec()
    clock_gettime(clock, &now)
    return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
}

/// A clock that does not follow a sudden step of the system's clock.
///
/// A single round under a clock that is days ahead would postpone all later deadlines by as much, because entries do
/// not go back in time. Slow corrections, as NTP makes them, are followed. A step larger than the bound is reported and
/// ignored until the coordinator is restarted.
package struct ClockStepFilter: Sendable {
    private var reference: (wall: Timestamp, steady: UInt64)?
    private let bound: Int64

    package init(boundMilliseconds: Int64) { bound = boundMilliseconds }

    /// Returns the time to use and, if the system's clock has stepped, its distance from that time.
    package mutating func time(wall: Timestamp, steady: UInt64) -> (time: Timestamp, step: Int64?) {
        guard let last = reference else {
            reference = (wall, steady)
            return (wall, nil)
        }
        let expected = last.wall.adding(milliseconds: Int64(clamping: steady) - Int64(clamping: last.steady))
        let step = wall.milliseconds(since: expected)
        guard step.magnitude <= UInt64(bound) else { return (expected, step) }
        reference = (wall, steady)
        return (wall, nil)
    }
}

/// A thread-safe ``ClockStepFilter`` over a clock.
final class GuardedClock: Sendable {
    private let state: NIOLockedValueBox<(guard: ClockStepFilter, step: Int64?)>
    private let wall: @Sendable () -> Timestamp
    private let steady: @Sendable () -> UInt64

    init(wall: @escaping @Sendable () -> Timestamp, steady: @escaping @Sendable () -> UInt64 = steadyMilliseconds) {
        self.wall = wall
        self.steady = steady
        state = NIOLockedValueBox((ClockStepFilter(boundMilliseconds: CoordinatorLimits.clockStepMilliseconds), nil))
    }

    func now() -> Timestamp {
        state.withLockedValue { state in
            let (time, step) = state.guard.time(wall: wall(), steady: steady())
            state.step = step
            return time
        }
    }

    /// How far the system's clock has stepped away, in milliseconds; `nil` if it has not.
    var step: Int64? { state.withLockedValue { $0.step } }
}
