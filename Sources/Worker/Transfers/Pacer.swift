import Federation
import Transport

/// Holds a transfer to its policy: a chunk may go when those before it have had their time.
struct Pacer {
    private let policy: TransferPolicy
    private let clock: @Sendable () -> Timestamp
    /// Until when the chunks so far keep the link busy at the policy's rate.
    private var busyUntil = ContinuousClock.now

    /// The hours are over; what has arrived stays, and the rest goes when they begin again.
    struct OutOfHours: Error {}

    init(_ policy: TransferPolicy, clock: @escaping @Sendable () -> Timestamp) {
        self.policy = policy
        self.clock = clock
    }

    /// A chunk is at most a second's worth, so that a narrow rate is even and a heartbeat gets through between two.
    var chunkBytes: Int { policy.bytesPerSecond.map { max(1024, Int(min($0, 1e9))) } ?? .max }

    /// Waits until `count` bytes may go.
    mutating func wait(for count: Int) async throws {
        if let hours = policy.hours, !hours.contains(minute: DailyHours.minuteOfDay(at: clock().milliseconds)) {
            throw OutOfHours()
        }
        guard let rate = policy.bytesPerSecond else { return }
        let now = ContinuousClock.now
        if busyUntil > now { try await pause(for: busyUntil - now) }
        busyUntil = max(busyUntil, now) + .seconds(Double(count) / rate)
    }

    /// Waits until the hours begin; looks each minute, because clocks are set and summer begins.
    static func waitForHours(_ policy: TransferPolicy, clock: @Sendable () -> Timestamp) async throws {
        guard let hours = policy.hours else { return }
        while !hours.contains(minute: DailyHours.minuteOfDay(at: clock().milliseconds)) {
            try await pause(for: .seconds(5))
        }
    }
}
