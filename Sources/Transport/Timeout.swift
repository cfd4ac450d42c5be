/// Runs `body`, and throws a timeout where it takes longer.
public func withTimeout<Result: Sendable>(
    _ duration: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: duration)
            throw TransportError(.timeout, "\(what) took longer than \(duration)")
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}
