import NIOConcurrencyHelpers
import NIOPosix

/// Runs jobs on the threads of a pool, one at a time, in the order of submission.
package final class SerialQueue: Sendable {
    private let pool: NIOThreadPool
    private let state = NIOLockedValueBox<(jobs: [@Sendable () -> Void], isRunning: Bool)>(([], false))

    package init(_ pool: NIOThreadPool) { self.pool = pool }

    /// Runs `job` when all earlier jobs are done. If the pool is shut down, the job never runs.
    package func submit(_ job: @escaping @Sendable () -> Void) {
        let isIdle = state.withLockedValue { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if isIdle { run() }
    }

    /// Runs `job` when all earlier jobs are done, and returns its result.
    ///
    /// - Throws: What `job` throws.
    package func run<Result: Sendable>(_ job: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Swift.Result { try job() }) }
        }
    }

    private func run() {
        pool.submit { state in
            while let job = self.next(isActive: state == .active) { job() }
        }
    }

    private func next(isActive: Bool) -> (@Sendable () -> Void)? {
        state.withLockedValue { state in
            guard isActive, !state.jobs.isEmpty else {
                state.isRunning = false
                return nil
            }
            return state.jobs.removeFirst()
        }
    }
}
