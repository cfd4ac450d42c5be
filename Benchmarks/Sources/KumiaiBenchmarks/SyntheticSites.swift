import Blobs
import Federation
import Foundation
import Logging
import NIOPosix
import Tensors
import Verification
import Worker

/// Many workers in one process, whose training is a file of numbers.
enum SyntheticSites {
    /// Works until the campaign has ended.
    static func run(_ folder: String, port: Int, sites: Int) async throws {
        let workers = NIOThreadPool(numberOfThreads: 4)
        workers.start()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<sites {
                let own = "\(folder)/site\(index)"
                let configuration = WorkerConfiguration(
                    consortium: BenchmarkConsortium.name,
                    host: "127.0.0.1",
                    port: port,
                    authority: own + "/ca.pem",
                    certificate: own + "/certificate.pem",
                    key: own + "/key.pem",
                    dataDirectory: own + "/data",
                    demonstrations: "",
                    exitsWhenFinished: true
                )
                let service = try WorkerService(
                    configuration,
                    logger: Logger(label: "site") { _ in SwiftLogNoOpLogHandler() },
                    trainer: SyntheticTraining(blobs: BlobStore(directory: own + "/data/blobs"), site: index),
                    workers: workers,
                    clock: { Timestamp(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000)) }
                )
                group.addTask { try await service.run() }
            }
            try await group.waitForAll()
        }
    }
}

/// An update of the model's layout, at once, which differs from site to site and from round to round.
private struct SyntheticTraining: SiteTraining {
    let blobs: BlobStore
    let site: Int
    private static let noise = (0..<1 << 16).map { _ in Float.random(in: -1...1) }

    func run(_ task: TrainingTask, progress: (Double, Float) throws -> Void) throws -> TrainedUpdate {
        let layout = try SafetensorsFile(path: blobs.path(of: task.model.digest)).layout
        let blob = try BlobWriter(blobs)
        let writer = try SafetensorsWriter(
            blob,
            layout: layout,
            metadata: [(name: "origin", value: "\(site) \(task.key)")]
        )
        let scale = Float(site + 1) * Float(task.key.round) * 1e-6
        let block = Self.noise.map { $0 * scale }
        var left = layout.elementCount
        while left > 0 {
            let count = min(left, block.count)
            try block.withUnsafeBytes { try writer.append(UnsafeRawBufferPointer(rebasing: $0[..<(4 * count)])) }
            left -= count
        }
        try writer.finish()
        let (digest, byteCount) = try blob.publish()
        return TrainedUpdate(digest: digest, byteCount: byteCount, samples: 10, loss: 0.5)
    }

    func finished(_ task: TrainingTask) {}
}
