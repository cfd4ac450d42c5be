import Federation
import Transport

/// Limits a transfer to its policy: a chunk is sent when the previous ones have used their time at the policy's rate.
struct Pacer {
    private let policy: TransferPolicy
    private let clock: @Sendable () -> Timestamp
    /// The time until which the previous chunks use the policy's rate.
    private var busyUntil = ContinuousClock.now

    /// The hours of the policy are over. The transfer resumes when they begin again.
    struct OutOfHours: Error {}

    init(_ policy: TransferPolicy, clock: @escaping @Sendable () -> Timestamp) {
        self.policy = policy
        self.clock = clock
    }

    /// The size of a chunk: at most the bytes of one second, so that a low rate is even and heartbeats can be sent
    /// between chunks.
    var chunkBytes: Int { policy.bytesPerSecond.map { max(1024, Int(min($0, 1e9))) } ?? .max }

    /// Waits until `count` bytes may be transferred.
    ///
    /// - Throws: ``OutOfHours`` if the hours are over.
    mutating func wait(for count: Int) async throws {
        if let hours = policy.hours, !hours.contains(minute: DailyHours.minuteOfDay(at: clock().milliseconds)) {
            throw OutOfHours()
        }
        guard let rate = policy.bytesPerSecond else { return }
        let now = ContinuousClock.now
        if busyUntil > now { try await pause(for: busyUntil - now) }
        busyUntil = max(busyUntil, now) + .seconds(Double(count) / rate)
    }

    /// Waits until the hours begin. Checks the clock every five seconds, because it can be set and daylight saving time
    /// can begin or end.
    static func waitForHours(_ policy: TransferPolicy, clock: @Sendable () -> Timestamp) async throws {
        guard let hours = policy.hours else { return }
        while !hours.contains(minute: DailyHours.minuteOfDay(at: clock().milliseconds)) {
            try await pause(for: .seconds(5))
        }
    }
}
