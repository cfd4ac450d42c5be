/// Runs one job at a time: a new job cancels the previous one, and starts when the previous one has ended.
struct RestartableJob {
    private var current: Task<Void, Never>?

    mutating func begin(_ body: @escaping @Sendable () async -> Void) {
        let former = current
        former?.cancel()
        current = Task {
            await former?.value
            if !Task.isCancelled { await body() }
        }
    }

    func cancel() { current?.cancel() }

    /// Waits until the last job has ended.
    func end() async { await current?.value }
}
