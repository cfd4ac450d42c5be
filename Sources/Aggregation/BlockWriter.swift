import Dispatch
import Synchronization
import Tensors

/// Writes blocks in order on a thread of its own.
final class BlockWriter: @unchecked Sendable {
    // Unchecked: the files are touched on the queue alone, and lanes are not reduced again before they are written.
    private let model: SafetensorsWriter
    private let state: SafetensorsWriter?
    private let queue = DispatchQueue(label: "kumiai.blocks")
    private let failure = Mutex<(any Error)?>(nil)
    private let written = DispatchSemaphore(value: 0)
    /// Turns that were seen to be written.
    private var seen = 0
    private var begun = 0

    init(_ model: SafetensorsWriter, _ state: SafetensorsWriter?) {
        self.model = model
        self.state = state
    }

    /// Writes what the lanes hold, after what was given before; returns at once.
    func write(_ lanes: [Lane]) {
        begun += 1
        queue.async {
            if self.failure.withLock({ $0 }) == nil {
                do { try self.append(lanes) } catch { self.failure.withLock { $0 = error } }
            }
            self.written.signal()
        }
    }

    private func append(_ lanes: [Lane]) throws {
        for lane in lanes where lane.count > 0 {
            try model.append(lane.nextBytes)
            try state?.append(lane.stateBytes)
        }
    }

    /// Waits until the first `turns` calls of ``write(_:)`` are done; throws what one of them came to.
    func wait(until turns: Int) throws {
        while seen < turns {
            written.wait()
            seen += 1
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Waits for all of them.
    func finish() throws { try wait(until: begun) }
}
