import Blobs
import Federation
import Foundation
import Logging
import NIOPosix
import Synchronization
import Tensors
import Trainers
import Worker

/// A fixture that replaces training: it makes an update of the model's layout immediately.
struct SyntheticTrainer: Trainer {
    /// The value of all of the update's numbers.
    let value: Float

    func train(_ job: TrainingJob, progress: (Double, Float) throws -> Void) throws -> TrainingResult {
        let layout = try job.model.open("the model").layout
        return TrainingResult(
            change: ConstantValues(value: value, elementCount: layout.elementCount),
            samples: 10,
            loss: 0.5
        )
    }

    func finished(_ job: TrainingJob) {}
}

/// The same number, over and over.
private struct ConstantValues: ValueSource {
    let value: Float
    let elementCount: Int

    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) { values.update(repeating: value) }
}

/// A worker in this process, with its log.
final class SyntheticSite: Sendable {
    let service: WorkerService
    let log = LogLines()
    private let task: Mutex<Task<Void, any Error>?> = Mutex(nil)

    init(
        _ configuration: WorkerConfiguration,
        value: Float = 1e-5,
        workers: NIOThreadPool? = nil,
        clockAheadSeconds: Int = 0
    ) throws {
        let log = log
        service = try WorkerService(
            configuration,
            logger: Logger(label: "site") { _ in log },
            trainer: SyntheticTrainer(value: value),
            workers: workers,
            clock: {
                Timestamp(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000)).adding(seconds: clockAheadSeconds)
            }
        )
    }

    func start() { task.withLock { $0 = Task { [service] in try await service.run() } } }

    func stop() async {
        await service.stop()
        try? await task.withLock { $0 }?.value
    }
}

/// Collects log lines.
final class LogLines: LogHandler, @unchecked Sendable {
    // Unchecked, because the metadata are set before the first line.
    private let lines = Mutex<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
        lines.withLock { $0.append("\(event.level) \(event.message) \(fields)") }
    }

    var all: [String] { lines.withLock { $0 } }
    func contains(_ text: String) -> Bool { lines.withLock { $0.contains { $0.contains(text) } } }
}
