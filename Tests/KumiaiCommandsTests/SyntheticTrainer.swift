import Blobs
import Federation
import Foundation
import Logging
import NIOPosix
import Synchronization
import Tensors
import Worker

/// A site's training without any learning: an update of the model's layout, at once.
struct SyntheticTrainer: SiteTraining {
    let blobs: BlobStore
    /// All of the update's values.
    let value: Float

    func run(_ task: TrainingTask, progress: (Double, Float) throws -> Void) throws -> TrainedUpdate {
        let layout = try SafetensorsFile(path: blobs.path(of: task.model.digest)).layout
        let path = blobs.temporaryPath()
        // As with real training, no two sites' files are the same, nor those of two rounds.
        let metadata = [(name: "round", value: "\(task.key.round)"), (name: "site", value: blobs.directory)]
        let writer = try SafetensorsWriter(path: path, layout: layout, metadata: metadata)
        let block = [Float](repeating: value, count: 1 << 18)
        var left = layout.elementCount
        while left > 0 {
            let count = min(left, block.count)
            try block[..<count].withUnsafeBytes { try writer.append($0) }
            left -= count
        }
        try writer.finish()
        let (digest, byteCount) = try blobs.adopt(path)
        return TrainedUpdate(digest: digest, byteCount: byteCount, samples: 10, loss: 0.5)
    }

    func finished(_ task: TrainingTask) {}
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
        // A store of its own over the same files: the worker reads what this writes.
        let blobs = try BlobStore(directory: configuration.dataDirectory + "/blobs")
        service = try WorkerService(
            configuration,
            logger: Logger(label: "site") { _ in log },
            trainer: SyntheticTrainer(blobs: blobs, value: value),
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

/// Keeps what is logged.
final class LogLines: LogHandler, @unchecked Sendable {
    // Unchecked: the metadata are set before the first line.
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
