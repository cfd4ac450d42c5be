import NIOConcurrencyHelpers

/// The memory budget that all transfers share.
package final class ChunkBudget: Sendable {
    private struct State {
        var chunks: Int
        var transfers = 0
    }

    private let state: NIOLockedValueBox<State>

    /// - Parameter chunks: The number of chunks that all uploads together may have in hand; when they are used up, each
    ///   upload may still have one.
    package init(chunks: Int = CoordinatorLimits.maximumChunksInFlight) {
        state = NIOLockedValueBox(State(chunks: chunks))
    }

    var hasRoom: Bool { state.withLockedValue { $0.chunks > 0 } }
    func take() { state.withLockedValue { $0.chunks -= 1 } }
    func give() { state.withLockedValue { $0.chunks += 1 } }

    /// The chunk size for a transfer that starts now.
    var chunkBytes: Int { state.withLockedValue { CoordinatorLimits.chunkBytes(transfers: $0.transfers) } }

    /// Counts a bulk connection while `body` runs.
    func counting<R>(_ body: () async throws -> R) async rethrows -> R {
        state.withLockedValue { $0.transfers += 1 }
        defer { state.withLockedValue { $0.transfers -= 1 } }
        return try await body()
    }
}
