import Blobs
import NIOConcurrencyHelpers
import NIOPosix
import Protocol
import Transport
import Wire

/// The pipeline of an upload's chunks to the disk: one queue writes them, one hashes them, and one makes them durable,
/// while further chunks arrive.
final class UploadPipeline: Sendable {
    /// Progress to report to the sender.
    enum Progress: Sendable {
        case durable(UInt64)
        case complete
    }

    private struct State {
        var taken = 0
        var written = 0
        var hashed = 0
        var isSynchronising = false
        var isFinishing = false
        var failure: (any Error)?
        /// The task that waits for room, or for the chunks in hand to be processed.
        var waiting: CheckedContinuation<Void, Never>?

        /// Chunks that are not yet both written and hashed.
        var inHand: Int { taken - min(written, hashed) }
    }

    private let spool: Spool
    private let budget: ChunkBudget
    private let writing: SerialQueue
    private let hashing: SerialQueue
    private let synchronising: SerialQueue
    private let state = NIOLockedValueBox(State())
    let progress: AsyncThrowingStream<Progress, any Error>
    private let progressContinuation: AsyncThrowingStream<Progress, any Error>.Continuation

    init(_ spool: Spool, on pool: NIOThreadPool, _ budget: ChunkBudget) {
        self.spool = spool
        self.budget = budget
        (writing, hashing, synchronising) = (SerialQueue(pool), SerialQueue(pool), SerialQueue(pool))
        (progress, progressContinuation) = AsyncThrowingStream.makeStream()
    }

    // MARK: Chunks

    /// Waits until another chunk may be read from the link.
    func room() async throws {
        while true {
            let (inHand, failure) = state.withLockedValue { ($0.inHand, $0.failure) }
            if let failure { throw failure }
            if inHand < UploadReceiver.maximumChunksInFlight, inHand == 0 || budget.hasRoom { return }
            await wait { $0.inHand >= inHand && $0.failure == nil }
        }
    }

    func append(_ chunk: BlobChunk) {
        state.withLockedValue { $0.taken += 1 }
        budget.take()
        writing.submit { self.write(chunk) }
        hashing.submit { self.hash(chunk) }
    }

    private func write(_ chunk: BlobChunk) {
        if state.withLockedValue({ $0.failure }) == nil {
            do { try chunk.payload.withUnsafeBytes { try spool.write($0, at: chunk.offset) } } catch { fail(error) }
        }
        progressed { $0.written += 1 }
        synchroniseIfDue()
    }

    private func hash(_ chunk: BlobChunk) {
        chunk.payload.withUnsafeBytes { spool.hash($0) }
        progressed { $0.hashed += 1 }
    }

    private func progressed(_ change: (inout State) -> Void) {
        let (isDone, waiting, mayFinish) = state.withLockedValue { state in
            let before = state.inHand
            change(&state)
            let mayFinish =
                state.inHand == 0 && state.failure == nil && !state.isFinishing
                && spool.receivedBytes == spool.byteCount
            if mayFinish { state.isFinishing = true }
            defer { state.waiting = nil }
            return (state.inHand < before, state.waiting, mayFinish)
        }
        if isDone { budget.give() }
        waiting?.resume()
        if mayFinish { synchronising.submit { self.finish() } }
    }

    // MARK: The disk

    private func synchroniseIfDue() {
        guard spool.isCheckpointDue, spool.receivedBytes < spool.byteCount else { return }
        let isFree = state.withLockedValue { state in
            defer { state.isSynchronising = true }
            return !state.isSynchronising && state.failure == nil
        }
        guard isFree else { return }
        synchronising.submit {
            do {
                try self.spool.checkpoint()
                self.progressContinuation.yield(.durable(self.spool.durableBytes))
            } catch { self.fail(error) }
            self.state.withLockedValue { $0.isSynchronising = false }
        }
    }

    private func finish() {
        do {
            try spool.finish()
            progressContinuation.yield(.complete)
            progressContinuation.finish()
        } catch { fail(error) }
    }

    private func fail(_ error: any Error) {
        let waiting = state.withLockedValue { state in
            if state.failure == nil { state.failure = error }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
        progressContinuation.finish(throwing: error)
    }

    // MARK: The end

    /// Called when the link has ended, however it ended: makes durable what has arrived.
    func end() async {
        while state.withLockedValue({ $0.inHand }) > 0 { await wait { $0.inHand > 0 } }
        try? await synchronising.run { [spool] in try spool.checkpoint() }
        progressContinuation.finish()
    }

    /// Suspends until the state changes, but only if `condition` holds now.
    private func wait(while condition: @Sendable (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLockedValue { state in
                guard condition(state) else { return false }
                state.waiting = continuation
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }
}
