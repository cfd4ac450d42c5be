import Federation
import Foundation
import TestKit
import Tensors
import Testing

@testable import Aggregation

/// Checks every strategy against values from independent code; Reference/make_reference.py names it.
@Suite struct StrategyTests {
    struct Reference: Decodable {
        struct Case: Decodable {
            let kind: String
            let source: String
            let settings: [String: Double]
            /// The values after each round.
            let after: [[Double]]
        }

        let start: [Double]
        let weights: [UInt32]
        /// Indexed by round, site, parameter.
        let updates: [[[Double]]]
        let strategies: [Case]

        static func load() throws -> Reference {
            let path = Repository.path("Tests/AggregationTests/Reference/strategies.json")
            return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    private func strategy(_ reference: Reference.Case) throws -> Strategy {
        let s = reference.settings
        let rate = try #require(s["learning_rate"])
        switch reference.kind {
        case "fedavg": return .fedAvg(learningRate: rate)
        case "fedavgm": return .fedAvgM(learningRate: rate, momentum: try #require(s["momentum"]))
        case "nesterov": return .nesterov(learningRate: rate, momentum: try #require(s["momentum"]))
        default:
            let moments = AdaptiveMoments(
                learningRate: rate,
                beta1: try #require(s["beta1"]),
                beta2: try #require(s["beta2"]),
                adaptivity: try #require(s["tau"])
            )
            return reference.kind == "fedadam" ? .fedAdam(moments) : .fedYogi(moments)
        }
    }

    @Test(arguments: 0..<6)
    func aStrategyAgreesWithAnIndependentImplementationRoundByRound(index: Int) throws {
        let reference = try Reference.load(), wanted = reference.strategies[index]
        let strategy = try strategy(wanted)
        let directory = try TemporaryDirectory()
        let layout = TensorLayout([("w", .f32, [reference.start.count])])
        let digest = Digest([UInt8](repeating: 0, count: 32))!
        func write(_ name: String, _ values: [Double]) throws -> SafetensorsFile {
            let writer = try SafetensorsWriter(path: directory.file(name), layout: layout)
            try writer.append(values.map { Float($0) })
            try writer.finish()
            return try SafetensorsFile(path: directory.file(name))
        }
        var model = try write("start", reference.start), state: SafetensorsFile?
        for (round, updates) in reference.updates.enumerated() {
            let task = AggregationTask(
                key: RoundKey(round: round + 1, attempt: 1),
                start: GlobalState(model: digest, modelByteCount: 0, serverState: state.map { _ in digest }),
                strategy: strategy,
                training: Training(localSteps: 1, batch: 1, learningRate: 1),
                isLastRound: false,
                bound: 10,
                scaleBits: FixedPoint.scaleBits(bound: 10, totalWeight: 10),
                productScaleBits: 0,
                contributions: reference.weights.enumerated().map {
                    .init(site: SiteID("s/\($0)")!, update: digest, weight: $1)
                }
            )
            let files = try updates.enumerated().map { try write("u\(round)-\($0)", $1) }
            let input = try RoundInput(task, model: model, serverState: state, updates: files)
            let output = (model: directory.file("m\(round)"), state: directory.file("s\(round)"))
            try RoundReduction(threads: 2).reduce(
                task,
                input,
                RoundOutput(model: output.model, adapter: "", state: output.state)
            )
            model = try SafetensorsFile(path: output.model)
            state = strategy.hasServerState ? try SafetensorsFile(path: output.state) : nil
            for (ours, theirs) in zip(try model.float32s(), wanted.after[round]) {
                #expect(abs(Double(ours) - theirs) < 1e-6, "\(wanted.kind) of \(wanted.source), round \(round + 1)")
            }
        }
    }
}
