import NIOConcurrencyHelpers
import Transport

/// Ends a transfer in which nothing moves. A peer that is slow is served; one that does not move at all is not waited
/// for.
///
/// One task watches a whole transfer: a timer for each message costs as much as the message.
final class StallWatch: Sendable {
    private let lastMoved = NIOLockedValueBox(ContinuousClock.now)

    func moved() { lastMoved.withLockedValue { $0 = .now } }

    /// Throws when nothing has moved for too long; cancelled where the transfer has ended.
    func run(_ what: String) async throws -> Never {
        let seconds = CoordinatorLimits.stalledSeconds
        while true {
            try await pause(for: .seconds(max(1, seconds / 10)))
            guard ContinuousClock.now - lastMoved.withLockedValue({ $0 }) < .seconds(seconds) else {
                throw TransportError(.timeout, "\(what) took longer than \(seconds) s")
            }
        }
    }

    /// Runs `body` and watches it.
    func over(_ what: String, _ body: @escaping @Sendable () async throws -> Void) async throws {
        moved()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { try await self.run(what) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
