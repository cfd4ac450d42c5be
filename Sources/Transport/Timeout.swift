import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Runs `body` with a time limit.
///
/// - Throws: `TransportError` with code `timeout` if it takes longer than `duration`, or what `body` throws.
package func withTimeout<Result: Sendable>(
    _ duration: Duration,
    _ what: String,
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await pause(for: duration)
            throw TransportError(.timeout, "\(what) took longer than \(duration)")
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}

/// Sleeps. If cancelled, it leaves no timer behind.
///
/// The timer of a cancelled `Task.sleep` stays in memory, with its task, until its deadline. On a connection that may
/// be silent for 5 minutes, every message would leave such a timer for that long. An event loop's timer is removed on
/// cancellation.
///
/// - Throws: `CancellationError` if the task is cancelled.
package func pause(for duration: Duration) async throws {
    let alarm = Alarm()
    try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { alarm.set(duration, $0) }
    } onCancel: {
        alarm.cancel()
    }
}

private final class Alarm: Sendable {
    private enum State {
        case new
        case waiting(CheckedContinuation<Void, any Error>, Scheduled<Void>)
        case over(isCancelled: Bool)
    }

    private let state = NIOLockedValueBox(State.new)

    func set(_ duration: Duration, _ continuation: CheckedContinuation<Void, any Error>) {
        let timer = MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: TimeAmount(duration)) {
            self.end(isCancelled: false)
        }
        let wasCancelled = state.withLockedValue { state -> Bool? in
            if case .over(let isCancelled) = state { return isCancelled }
            state = .waiting(continuation, timer)
            return nil
        }
        guard let wasCancelled else { return }
        timer.cancel()
        resume(continuation, wasCancelled)
    }

    func cancel() { end(isCancelled: true) }

    private func end(isCancelled: Bool) {
        let former = state.withLockedValue { state in
            defer { if case .over = state {} else { state = .over(isCancelled: isCancelled) } }
            return state
        }
        guard case .waiting(let continuation, let timer) = former else { return }
        timer.cancel()
        resume(continuation, isCancelled)
    }

    private func resume(_ continuation: CheckedContinuation<Void, any Error>, _ isCancelled: Bool) {
        if isCancelled { continuation.resume(throwing: CancellationError()) } else { continuation.resume() }
    }
}
