import NIOConcurrencyHelpers

/// Ends a transfer that has stalled. A slow peer is served; one that makes no progress at all is not waited for.
///
/// One task watches a whole transfer, because a timer for each message would cost as much as the message.
package final class StallDetector: Sendable {
    private let lastProgress = NIOLockedValueBox(ContinuousClock.now)
    private let seconds: Int
    private let error: @Sendable () -> any Error

    /// - Parameters:
    ///   - seconds: How long there may be no progress.
    ///   - error: What is thrown then.
    package init(seconds: Int, error: @escaping @Sendable () -> any Error) {
        self.seconds = seconds
        self.error = error
    }

    /// Records progress.
    package func progress() { lastProgress.withLockedValue { $0 = .now } }

    /// Waits until there has been no progress for too long; cancelled when the transfer ends.
    ///
    /// - Throws: The error, or `CancellationError`.
    package func watch() async throws -> Never {
        while true {
            try await pause(for: .seconds(max(1, seconds / 10)))
            guard ContinuousClock.now - lastProgress.withLockedValue({ $0 }) < .seconds(seconds) else { throw error() }
        }
    }

    /// Runs `body`, and ends it with the error if it makes no progress for too long.
    package func over(_ body: @escaping @Sendable () async throws -> Void) async throws {
        progress()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { try await self.watch() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
