import Foundation
import LinearAlgebra
import Transport

/// Prints one JSON object with ratios and absolute values. The script `run` starts it and adds PyTorch's values.
@main
struct Main {
    static func main() async throws {
        BLASCore.restartIfWrong()
        ProcessResources.keepBuffers()
        var values: [String: Double] = [:]
        let arguments = Array(CommandLine.arguments.dropFirst())
        ProcessResources.raiseDescriptorLimit()
        if arguments.first == "sites" {
            return try await SyntheticSites.run(arguments[1], port: Int(arguments[2])!, sites: Int(arguments[3])!)
        }
        if arguments.first == "train" {
            values = try TrainingBenchmark.run()
        } else if arguments.first == "intake" {
            values = try await IntakeBenchmark.run()
        } else if arguments.first == "reduce" {
            values = try ReductionBenchmark.run()
        } else if arguments.first == "rounds" {
            values = try RoundBenchmark.run()
        } else {
            values.merge(try await IntakeBenchmark.run()) { $1 }
            values.merge(try ReductionBenchmark.run()) { $1 }
        }
        let data = try JSONSerialization.data(withJSONObject: values, options: [.sortedKeys])
        print(String(decoding: data, as: UTF8.self))
    }

    /// The median of several runs.
    static func median(_ count: Int, _ body: () throws -> Double) rethrows -> Double {
        try (0..<count).map { _ in try body() }.sorted()[count / 2]
    }

    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try body()
        let elapsed = start.duration(to: clock.now)
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }
}
