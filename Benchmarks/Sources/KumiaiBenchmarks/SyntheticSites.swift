import Federation
import Foundation
import Logging
import NIOPosix
import Tensors
import Trainers
import Worker

/// Many workers in one process; instead of training, they write a file of numbers.
enum SyntheticSites {
    /// Runs until the campaign has ended.
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
                    trainer: SyntheticTraining(site: index),
                    workers: workers,
                    clock: { Timestamp(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000)) }
                )
                group.addTask { try await service.run() }
            }
            try await group.waitForAll()
        }
    }
}

/// Makes an update of the model's layout immediately; it differs between sites and between rounds.
private struct SyntheticTraining: Trainer {
    let site: Int
    private static let noise = (0..<1 << 16).map { _ in Float.random(in: -1...1) }

    func train(_ job: TrainingJob, progress: (Double, Float) throws -> Void) throws -> TrainingResult {
        let layout = try job.model.open("the model").layout
        let scale = Float(site + 1) * Float(job.key.round) * 1e-6
        let noise = Self.noise.map { $0 * scale }
        var change: [Float] = []
        change.reserveCapacity(layout.elementCount)
        while change.count < layout.elementCount { change += noise.prefix(layout.elementCount - change.count) }
        return TrainingResult(change: change, samples: 10, loss: 0.5)
    }

    func finished(_ job: TrainingJob) {}
}
