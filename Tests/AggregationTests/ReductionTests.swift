import Federation
import Foundation
import Tensors
import TestKit
import Testing

@testable import Aggregation

/// The integer ring: the same bits in any order, on any number of threads.
@Suite struct ReductionTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let layout = TensorLayout([("a", .f32, [37, 11]), ("b", .f32, [101])])

    func write(_ name: String, _ values: [Float]) throws -> SafetensorsFile {
        let writer = try SafetensorsWriter(
            path: directory.file(name),
            layout: Self.layout,
            metadata: [("config", "{}")]
        )
        try writer.append(values)
        try writer.finish()
        return try SafetensorsFile(path: directory.file(name))
    }

    func values(_ generator: inout Generator, scale: Float = 1) -> [Float] {
        (0..<Self.layout.elementCount).map { _ in
            Float.random(in: -scale...scale, using: &generator) * Float.random(in: 0...1, using: &generator)
        }
    }

    func task(_ strategy: Strategy, weights: [UInt32], hasState: Bool = false) -> AggregationTask {
        let digest = Digest([UInt8](repeating: 0, count: 32))!
        return AggregationTask(
            key: RoundKey(round: 1, attempt: 1),
            start: GlobalState(model: digest, modelByteCount: 0, serverState: hasState ? digest : nil),
            strategy: strategy,
            training: Training(localSteps: 1, batch: 1, learningRate: 1),
            isLastRound: false,
            bound: 1000,
            scaleBits: FixedPoint.scaleBits(bound: 1000, totalWeight: 10_000 * 64),
            productScaleBits: 0,
            contributions: weights.enumerated().map { .init(site: SiteID("s/\($0)")!, update: digest, weight: $1) }
        )
    }

    func reduce(_ task: AggregationTask, _ input: RoundInput, threads: Int = 1, block: Int = 64) throws -> (
        model: [Float], state: [Float]
    ) {
        let model = directory.file("out-\(UUID())"), state = directory.file("state-\(UUID())")
        try BlockReducer(threads: threads, blockElements: block).reduce(
            task,
            input,
            RoundOutput(model: model, adapter: "", state: state)
        )
        let stateValues = task.strategy.hasServerState ? try SafetensorsFile(path: state).float32s() : []
        return (try SafetensorsFile(path: model).float32s(), stateValues)
    }

    @Test func sumIsTheSameBitsInAnyOrderOnAnyThreadsWithAnyBlocks() throws {
        var generator = Generator(seed: 1)
        for trial in 0..<10 {
            let count = Int.random(in: 1...24, using: &generator)
            let model = try write("model", values(&generator)), state = try write("state", values(&generator))
            let updates = try (0..<count).map { try write("u\($0)", values(&generator, scale: 10)) }
            let weights = (0..<count).map { _ in UInt32.random(in: 1...10_000, using: &generator) }
            let strategy = Strategy.fedAvgM(learningRate: 0.9, momentum: 0.7)
            let first = task(strategy, weights: weights, hasState: true)
            let reference = try reduce(first, RoundInput(first, model: model, serverState: state, updates: updates))
            for _ in 0..<5 {
                let order = (0..<count).shuffled(using: &generator)
                let again = task(strategy, weights: order.map { weights[$0] }, hasState: true)
                let result = try reduce(
                    again,
                    RoundInput(again, model: model, serverState: state, updates: order.map { updates[$0] }),
                    threads: Int.random(in: 1...4, using: &generator),
                    block: Int.random(in: 1...600, using: &generator)
                )
                #expect(result.model.map(\.bitPattern) == reference.model.map(\.bitPattern), "trial \(trial)")
                #expect(result.state.map(\.bitPattern) == reference.state.map(\.bitPattern))
            }
        }
    }

    @Test func averageAgreesWithFloat64Arithmetic() throws {
        var generator = Generator(seed: 2)
        let start = values(&generator), momentum = values(&generator)
        let raw = (0..<5).map { _ in values(&generator) }
        let weights: [UInt32] = [1, 200, 3000, 40, 5]
        let total = Double(weights.reduce(0, +))
        let model = try write("model", start), state = try write("state", momentum)
        let updates = try raw.enumerated().map { try write("u\($0)", $1) }
        let average = task(.fedAvg(learningRate: 0.5), weights: weights)
        let plain = try reduce(average, RoundInput(average, model: model, serverState: nil, updates: updates)).model
        let moving = task(.fedAvgM(learningRate: 0.5, momentum: 0.7), weights: weights, hasState: true)
        let heavy = try reduce(moving, RoundInput(moving, model: model, serverState: state, updates: updates))
        for index in start.indices {
            let mean = (0..<5).reduce(0.0) { $0 + Double(raw[$1][index]) * Double(weights[$1]) } / total
            #expect(abs(Double(plain[index]) - (Double(start[index]) + 0.5 * mean)) < 1e-6)
            let moved = 0.7 * Double(momentum[index]) + mean
            #expect(abs(Double(heavy.state[index]) - moved) < 1e-6)
            #expect(abs(Double(heavy.model[index]) - (Double(start[index]) + 0.5 * moved)) < 1e-6)
        }
    }

    @Test func aModelOfOtherElementTypesIsReducedInFloat32AndRoundedOnce() throws {
        var generator = Generator(seed: 12)
        let types: [ElementType] = [.bf16, .f16, .f32]
        let typed = TensorLayout(
            Self.layout.tensors.enumerated().map { ($1.name, types[$0 % types.count], $1.shape) }
        )
        func write(_ name: String, _ values: [Float], _ layout: TensorLayout) throws -> SafetensorsFile {
            let writer = try SafetensorsWriter(path: directory.file(name), layout: layout)
            try writer.append(values)
            try writer.finish()
            return try SafetensorsFile(path: directory.file(name))
        }
        let model = try write("typed", values(&generator), typed)
        let start = try write("start", model.float32s(), typed.asFloat32)
        let updates = try (0..<3).map { try write("u\($0)", values(&generator), typed.asFloat32) }
        let task = task(.fedAvgM(learningRate: 1, momentum: 0.5), weights: [1, 2, 3])
        let exact = try reduce(task, RoundInput(task, model: start, serverState: nil, updates: updates))
        let rounded = try reduce(
            task,
            RoundInput(task, model: model, serverState: nil, updates: updates),
            threads: 2,
            block: 37
        )
        #expect(try rounded.model == write("expected", exact.model, typed).float32s())
        #expect(rounded.state == exact.state && rounded.model != exact.model)
    }

    @Test func firstRoundStartsFromZeroMomentum() throws {
        var generator = Generator(seed: 3)
        let update = values(&generator)
        let task = task(.fedAvgM(learningRate: 1, momentum: 0.9), weights: [7])
        let input = try RoundInput(
            task,
            model: try write("model", values(&generator)),
            serverState: nil,
            updates: [try write("u", update)]
        )
        let result = try reduce(task, input)
        for (state, value) in zip(result.state, update) { #expect(abs(state - value) < 1e-6) }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1001, -1001])
    func valuesThatCouldBreakTheRingAreRefused(value: Float) throws {
        var update = [Float](repeating: 0, count: Self.layout.elementCount)
        update[300] = value
        let task = task(.fedAvg(learningRate: 1), weights: [1])
        let input = try RoundInput(
            task,
            model: try write("model", update.map { _ in 0 }),
            serverState: nil,
            updates: [try write("u", update)]
        )
        #expect(throws: AggregationError.self) { try reduce(task, input) }
    }

    @Test func layoutsMustAgree() throws {
        let other = TensorLayout([("a", .f32, [508])])
        let writer = try SafetensorsWriter(path: directory.file("other"), layout: other)
        try writer.append([Float](repeating: 0, count: 508))
        try writer.finish()
        let model = try write("model", [Float](repeating: 0, count: Self.layout.elementCount))
        let file = try SafetensorsFile(path: directory.file("other"))
        #expect(throws: AggregationError.self) {
            try RoundInput(
                task(.fedAvg(learningRate: 1), weights: [1]),
                model: model,
                serverState: nil,
                updates: [file]
            )
        }
    }

    @Test func modelKeepsItsMetadata() throws {
        let zero = [Float](repeating: 0, count: Self.layout.elementCount)
        let task = task(.fedAvg(learningRate: 1), weights: [1])
        let input = try RoundInput(
            task,
            model: try write("model", zero),
            serverState: nil,
            updates: [try write("u", zero)]
        )
        try RoundReduction().reduce(task, input, RoundOutput(model: directory.file("m"), adapter: "", state: ""))
        #expect(try SafetensorsFile(path: directory.file("m")).header[metadata: "config"] == "{}")
    }
}

typealias Generator = SplitMix64
