import NIOConcurrencyHelpers
import Transport

/// Ends a transfer that has stalled. A slow peer is served; one that makes no progress at all is not waited for.
///
/// One task watches a whole transfer, because a timer for each message would cost as much as the message.
final class StallWatch: Sendable {
    private let lastMoved = NIOLockedValueBox(ContinuousClock.now)

    func moved() { lastMoved.withLockedValue { $0 = .now } }

    /// Throws when there has been no progress for too long; cancelled when the transfer ends.
    func run(_ what: String) async throws -> Never {
        let seconds = CoordinatorLimits.stalledSeconds
        while true {
            try await pause(for: .seconds(max(1, seconds / 10)))
            guard ContinuousClock.now - lastMoved.withLockedValue({ $0 }) < .seconds(seconds) else {
                throw TransportError(.timeout, "\(what) took longer than \(seconds) s")
            }
        }
    }

    /// Runs `body` under this watch.
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
