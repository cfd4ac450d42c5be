import Dispatch
import Synchronization
import Tensors

/// Writes blocks in order on its own thread.
final class BlockWriter: @unchecked Sendable {
    // Unchecked: only the queue accesses the files, and lanes are not reused before they are written.
    private let model: SafetensorsWriter
    private let state: SafetensorsWriter?
    private let queue = DispatchQueue(label: "kumiai.blocks")
    private let failure = Mutex<(any Error)?>(nil)
    private let written = DispatchSemaphore(value: 0)
    /// The number of turns that are known to be written.
    private var seen = 0
    private var begun = 0

    init(_ model: SafetensorsWriter, _ state: SafetensorsWriter?) {
        self.model = model
        self.state = state
    }

    /// Queues the contents of the lanes for writing and returns at once.
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
            try model.append(lane.nextValues)
            try state?.append(lane.stateValues)
        }
    }

    /// Waits until the first `turns` calls of ``write(_:)`` are done; throws if one of them failed.
    func wait(until turns: Int) throws {
        while seen < turns {
            written.wait()
            seen += 1
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Waits until everything is written.
    func finish() throws { try wait(until: begun) }
}
