import Aggregation
import Federation
import Foundation
import Tensors

/// Measures the reduction of eight updates of 32 MiB, from files in the page cache, against memcpy of the same bytes.
enum ReductionBenchmark {
    static func run() throws -> [String: Double] {
        let sites = 8, elements = 8 << 20
        let folder = NSTemporaryDirectory() + "/kumiai-bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let layout = TensorLayout([("w", .f32, [elements])])
        var files: [SafetensorsFile] = []
        for index in 0...sites {
            let writer = try SafetensorsWriter(path: "\(folder)/\(index)", layout: layout)
            try writer.append((0..<elements).map { Float(($0 &* (index + 3)) % 1000) / 1000 })
            try writer.finish()
            files.append(try SafetensorsFile(path: "\(folder)/\(index)"))
        }
        let digest = Digest([UInt8](repeating: 0, count: 32))!
        let task = AggregationTask(
            key: RoundKey(round: 1, attempt: 1),
            start: GlobalState(model: digest, modelByteCount: 0, serverState: nil),
            strategy: .fedAvg(learningRate: 1),
            training: Training(localSteps: 1, batch: 1, learningRate: 1),
            isLastRound: false,
            bound: 10,
            scaleBits: 36,
            productScaleBits: 30,
            contributions: (0..<sites).map { .init(site: SiteID("s/\($0)")!, update: digest, weight: UInt32($0 + 1)) }
        )
        let input = try RoundInput(task, model: files[0], serverState: nil, updates: Array(files.dropFirst()))
        let bytes = Double(sites * elements * 4)
        let reduce = try Main.median(5) {
            // A round writes a new file; the time to delete the old one must not count.
            defer { try? FileManager.default.removeItem(atPath: folder + "/out") }
            return try Main.seconds {
                try RoundReduction(threads: 1).reduce(
                    task,
                    input,
                    RoundOutput(model: folder + "/out", adapter: "", state: "")
                )
            }
        }
        // As many bytes as the updates have, so that they do not fit into a cache.
        let total = sites * elements * 4
        let source = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: 64),
            target = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: 64)
        defer {
            source.deallocate()
            target.deallocate()
        }
        source.initializeMemory(as: UInt8.self, repeating: 1, count: total)
        target.initializeMemory(as: UInt8.self, repeating: 2, count: total)
        let copy = Main.median(5) { Main.seconds { target.copyMemory(from: source, byteCount: total) } }
        return [
            "reduce_gb_s": bytes / reduce / 1e9, "memcpy_gb_s": bytes / copy / 1e9, "reduce_vs_memcpy": copy / reduce,
        ]
    }
}
