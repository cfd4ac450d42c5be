import Contracts
import Federation
import Foundation
import TestKit
import Tensors
import Testing
import Updates

@testable import Aggregation

/// Combining the adapters of many sites into one model: exact if the plan requires it, and the same bits in any order.
@Suite struct AdapterTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let layout = TensorLayout([
        ("a.fc1.weight", .f32, [19, 13]), ("a.fc1.bias", .f32, [19]), ("a.fc2.weight", .f32, [13, 19]),
        ("ln.weight", .f32, [13]),
    ])
    static let digest = Digest([UInt8](repeating: 0, count: 32))!

    static func lora(_ aggregation: LoRA.Aggregation, rank: Int = 3) -> LoRA {
        LoRA(rank: rank, alpha: 6, targets: ["fc1", "fc2"], aggregation: aggregation)
    }

    /// One site's change to its factors.
    struct Change {
        let rank: Int
        /// In the order of the update's tensors.
        let values: [Float]
        let weight: UInt32
    }

    func random(_ count: Int, _ generator: inout SplitMix64, scale: Float = 0.1) -> [Float] {
        (0..<count).map { _ in Float.random(in: -scale...scale, using: &generator) }
    }

    func write(_ values: [Float], _ layout: TensorLayout) throws -> SafetensorsFile {
        let path = directory.file("f-\(UUID())")
        let writer = try SafetensorsWriter(path: path, layout: layout, metadata: [("config", "{}")])
        try writer.append(values)
        try writer.finish()
        return try SafetensorsFile(path: path)
    }

    struct Outcome: Equatable {
        var model: [Float]?
        var adapter: [Float]?
        var state: [Float]?
    }

    func reduce(
        _ lora: LoRA,
        model: [Float],
        adapter: [Float]?,
        _ changes: [Change],
        round: Int = 1,
        isLast: Bool = false,
        strategy: Strategy = .fedAvg(learningRate: 1),
        compression: Compression = .none,
        threads: Int = 1,
        blockElements: Int = AdapterReducer.defaultBlockElements
    ) throws -> Outcome {
        let training = Training(localSteps: 1, batch: 1, learningRate: 1, seed: 7, lora: lora)
        let total: UInt64 = 1000
        let task = AggregationTask(
            key: RoundKey(round: round, attempt: 1),
            start: GlobalState(model: Self.digest, modelByteCount: 0, serverState: nil),
            strategy: strategy,
            training: training,
            compression: compression,
            isLastRound: isLast,
            bound: 10,
            scaleBits: FixedPoint.scaleBits(bound: 10, totalWeight: total),
            productScaleBits: FixedPoint.scaleBits(bound: 100, totalWeight: total),
            contributions: changes.enumerated().map {
                .init(site: SiteID("s/\($0)")!, update: Self.digest, weight: $1.weight)
            }
        )
        let format = UpdateFormat(TrainedTensors(training, base: Self.layout, round: round), compression)
        let files = try changes.map { change in
            let path = directory.file("u-\(UUID())")
            try format.write(change.values, rank: change.rank, to: path)
            return try SafetensorsFile(path: path)
        }
        let input = try RoundInput(
            task,
            model: write(model, Self.layout),
            adapter: adapter.map { try write($0, format.trained.adapter!.layout) },
            serverState: nil,
            updates: files
        )
        let paths = (0..<3).map { _ in directory.file("o-\(UUID())") }
        try AdapterReducer(task, lora, input, threads: threads, blockElements: blockElements)
            .reduce(RoundOutput(model: paths[0], adapter: paths[1], state: paths[2]))
        func values(_ made: Bool, _ path: String) throws -> [Float]? {
            made ? try SafetensorsFile(path: path).float32s() : nil
        }
        #expect(
            FileManager.default.fileExists(atPath: paths[0]) == task.makesModel
                && FileManager.default.fileExists(atPath: paths[1]) == task.makesAdapter
        )
        return Outcome(
            model: try values(task.makesModel, paths[0]),
            adapter: try values(task.makesAdapter, paths[1]),
            state: try values(strategy.hasServerState, paths[2])
        )
    }

    /// W + scale·B·A for every module, in float64; `factors` in the order of an adapter of `rank`.
    func effective(_ model: [Float], _ factors: [Double], rank: Int, scale: Double) -> [Double] {
        let adapter = AdapterLayout(base: Self.layout, rank: rank, targets: ["fc1", "fc2"])
        var weights = model.map { Double($0) }
        for module in adapter.modules {
            let start = Self.layout["\(module.name).weight"]!.range.lowerBound / 4
            for o in 0..<module.outputs {
                for i in 0..<module.inputs {
                    for k in 0..<rank {
                        weights[start + o * module.inputs + i] +=
                            scale * factors[module.b.lowerBound + o * rank + k]
                            * factors[module.a.lowerBound + k * module.inputs + i]
                    }
                }
            }
        }
        return weights
    }

    /// A site's factors, widened to the plan's rank: components that the site has not trained are unchanged.
    func trained(_ start: [Float], _ change: Change, rank: Int) -> [Double] {
        let all = AdapterLayout(base: Self.layout, rank: rank, targets: ["fc1", "fc2"])
        let mine = AdapterLayout(base: Self.layout, rank: change.rank, targets: ["fc1", "fc2"])
        var factors = start.map { Double($0) }
        for (a, m) in zip(all.modules, mine.modules) {
            for (index, place) in m.a.enumerated() { factors[a.a.lowerBound + index] += Double(change.values[place]) }
            for o in 0..<m.outputs {
                for k in 0..<change.rank {
                    factors[a.b.lowerBound + o * rank + k] += Double(
                        change.values[m.b.lowerBound + o * change.rank + k]
                    )
                }
            }
        }
        return factors
    }

    func changes(_ generator: inout SplitMix64, ranks: [Int]) -> [Change] {
        ranks.map { rank in
            let count = AdapterLayout(base: Self.layout, rank: rank, targets: ["fc1", "fc2"]).layout.elementCount
            return Change(
                rank: rank,
                values: random(count, &generator, scale: 0.5),
                weight: UInt32.random(in: 1...100, using: &generator)
            )
        }
    }

    /// The guarantee of exact aggregation: model and adapter together are the weighted mean of all sites' models.
    @Test(arguments: [[3, 3, 3], [1, 3, 2], [2], [3, 1, 1, 1, 2, 3]])
    func exactAggregationIsTheMeanOfTheSitesModels(ranks: [Int]) throws {
        var generator = SplitMix64(seed: UInt64(ranks.count))
        let model = random(Self.layout.elementCount, &generator), lora = Self.lora(.exact)
        let adapter = AdapterLayout(base: Self.layout, rank: 3, targets: lora.targets)
        let start = random(adapter.layout.elementCount, &generator, scale: 0.5)
        let changes = changes(&generator, ranks: ranks)
        let total = Double(changes.reduce(0) { $0 + $1.weight })
        var wanted = [Double](repeating: 0, count: model.count)
        for change in changes {
            let site = effective(model, trained(start, change, rank: 3), rank: 3, scale: lora.scale)
            for index in wanted.indices { wanted[index] += Double(change.weight) / total * site[index] }
        }
        let outcome = try reduce(lora, model: model, adapter: start, changes)
        let found = effective(outcome.model!, outcome.adapter!.map { Double($0) }, rank: 3, scale: lora.scale)
        for (a, b) in zip(found, wanted) { #expect(abs(a - b) < 1e-6) }
        // In the last round, the model without an adapter is the same mean.
        let last = try reduce(lora, model: model, adapter: start, changes, isLast: true)
        #expect(last.adapter == nil)
        for (a, b) in zip(last.model!, wanted) { #expect(abs(Double(a) - b) < 1e-6) }
        // If the sites differ, plain averaging gives a different result.
        guard ranks.count > 1 else { return }
        let plain = try reduce(Self.lora(.average), model: model, adapter: start, changes, isLast: true)
        #expect(zip(plain.model!, wanted).contains { abs(Double($0) - $1) > 1e-3 })
    }

    @Test(arguments: [(LoRA.Aggregation.frozenA, 1), (.frozenA, 2), (.alternating, 1), (.alternating, 2)])
    func trainingOneFactorMakesPlainAveragesExact(aggregation: LoRA.Aggregation, round: Int) throws {
        var generator = SplitMix64(seed: 9)
        let model = random(Self.layout.elementCount, &generator), lora = Self.lora(aggregation)
        let adapter = AdapterLayout(base: Self.layout, rank: 3, targets: lora.targets)
        let start = random(adapter.layout.elementCount, &generator, scale: 0.5)
        let trainsA = lora.trainsA(round: round)
        let part = AdapterLayout(base: Self.layout, rank: 3, targets: lora.targets, factors: trainsA ? .a : .b)
        var wanted = [Double](repeating: 0, count: model.count)
        let changes = (0..<4).map { _ in
            Change(rank: 3, values: random(part.layout.elementCount, &generator), weight: 25)
        }
        for change in changes {
            var factors = start.map { Double($0) }
            for (all, sent) in zip(adapter.modules, part.modules) {
                for (index, place) in zip(trainsA ? all.a : all.b, trainsA ? sent.a : sent.b) {
                    factors[index] += Double(change.values[place])
                }
            }
            for (index, value) in effective(model, factors, rank: 3, scale: lora.scale).enumerated() {
                wanted[index] += value / 4
            }
        }
        let outcome = try reduce(lora, model: model, adapter: start, changes, round: round, isLast: true)
        for (a, b) in zip(outcome.model!, wanted) { #expect(abs(Double(a) - b) < 1e-6) }
        // Before the last round, the model and the other factor do not change.
        let middle = try reduce(lora, model: model, adapter: start, changes, round: round)
        #expect(middle.model == nil)
        for module in adapter.modules {
            for index in trainsA ? module.b : module.a { #expect(middle.adapter![index] == start[index]) }
        }
    }

    @Test(arguments: LoRA.Aggregation.allCases, [false, true])
    func theResultIsTheSameBitsInAnyOrderOnAnyThreads(aggregation: LoRA.Aggregation, isLast: Bool) throws {
        var generator = SplitMix64(seed: 3)
        let model = random(Self.layout.elementCount, &generator), lora = Self.lora(aggregation)
        let training = Training(localSteps: 1, batch: 1, learningRate: 1, lora: lora)
        let changes = (0..<7).map { index in
            let rank = 1 + index % 3
            let count = TrainedTensors(training, base: Self.layout, round: 1).layout(rank: rank).elementCount
            return Change(
                rank: rank,
                values: random(count, &generator),
                weight: UInt32.random(in: 1...100, using: &generator)
            )
        }
        let moments = Strategy.fedAdam(AdaptiveMoments(learningRate: 0.1))
        for (strategy, compression) in [
            (Strategy.fedAvg(learningRate: 1), Compression.none), (moments, .int8(block: 32)),
            (moments, .topK(fraction: 0.2)),
        ] {
            let first = try reduce(
                lora,
                model: model,
                adapter: nil,
                changes,
                isLast: isLast,
                strategy: strategy,
                compression: compression
            )
            for threads in 1...4 {
                let order = changes.shuffled(using: &generator)
                #expect(
                    try reduce(
                        lora,
                        model: model,
                        adapter: nil,
                        order,
                        isLast: isLast,
                        strategy: strategy,
                        compression: compression,
                        threads: threads,
                        blockElements: [1, 20, 100, 1 << 20][threads - 1]
                    ) == first
                )
            }
        }
    }

    /// Recorded before the factors were reduced in blocks.
    @Test func theBitsAreThoseOfEarlierVersions() throws {
        var generator = SplitMix64(seed: 11), found: [UInt64] = []
        let model = random(Self.layout.elementCount, &generator)
        for aggregation in LoRA.Aggregation.allCases {
            let lora = Self.lora(aggregation)
            let training = Training(localSteps: 1, batch: 1, learningRate: 1, lora: lora)
            let start = random(
                TrainedTensors(training, base: Self.layout, round: 1).adapter!.layout.elementCount,
                &generator
            )
            for (round, isLast) in [(1, false), (2, false), (2, true)] {
                let changes = [2, 3, 1].map { rank in
                    let count = TrainedTensors(training, base: Self.layout, round: round).layout(rank: rank)
                        .elementCount
                    return Change(rank: rank, values: random(count, &generator), weight: UInt32(10 * rank))
                }
                for strategy in [Strategy.fedAvg(learningRate: 1), .fedAdam(AdaptiveMoments(learningRate: 0.1))] {
                    for adapter in [nil, start] {
                        let outcome = try reduce(
                            lora,
                            model: model,
                            adapter: adapter,
                            changes,
                            round: round,
                            isLast: isLast,
                            strategy: strategy
                        )
                        // FNV-1a over the bits of all values.
                        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
                        for values in [outcome.model, outcome.adapter, outcome.state] {
                            for value in values ?? [] { hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01b3 }
                        }
                        found.append(hash)
                    }
                }
            }
        }
        #expect(found == Self.recorded)
    }

    static let recorded: [UInt64] = [
        0x35ab922239370d34, 0x8525a4b791a9f997, 0x962fe90766b74e14, 0x7f5bbff071c9d005,
        0x98085d0845fd1c8e, 0xbf211058485b67a3, 0xc8e3c5e9c9ffe914, 0xb7be6e7c2f133391,
        0x2ae1ac154da20ed7, 0x1fc02aee7a831bac, 0x9c281397b82d2054, 0x252d72e43e956a08,
        0xa96bebbba9e531cd, 0xc84a720f092fd12a, 0x9e3da896b52a9c26, 0x638adf243208dcd5,
        0x59dbbd9f79558521, 0x8e063555b93c8512, 0xbc66e5a1d1964e3d, 0x96c5065d6d2af567,
        0x35b0e2cb22a78f22, 0xca6a99f46df82ea8, 0x70a6d48e9c9b93ec, 0x955722fef801b804,
        0x61143a5c9d040858, 0x1e9c0af3518f2b52, 0x2b38edb0573a95d0, 0x99f0b2aeb5fcb002,
        0xefaad932e88f1ab1, 0x31a291c76e875e3e, 0xf7a988cd3aa56106, 0xdbe7560d148b938e,
        0x3bd3bff66a7c7af9, 0xb6be61e2ede05eaa, 0x296b99c623f86454, 0x72888e035dcc4b36,
        0x5f021da7da73182c, 0xa6bec92ad501d888, 0xd05a233b038b0d70, 0x721fa5b7cbcfbd2d,
        0x683c14bd15d28b47, 0x0a3655a1ca0995ad, 0xb44f3b3eb03d3237, 0xa38bfadb19a6a427,
        0x7690d16e6c392d27, 0x3102ce1edf5d8097, 0x214dec6e1883a519, 0xa7745d88d82b90c6,
    ]

    @Test func tensorsWithoutAdaptersStayBitForBit() throws {
        var generator = SplitMix64(seed: 4)
        let model = random(Self.layout.elementCount, &generator)
        let outcome = try reduce(
            Self.lora(.exact),
            model: model,
            adapter: nil,
            changes(&generator, ranks: [3, 2]),
            isLast: true
        )
        for name in ["a.fc1.bias", "ln.weight"] {
            let range = Self.layout[name]!.range
            let elements = range.lowerBound / 4..<range.upperBound / 4
            #expect(Array(outcome.model![elements]) == Array(model[elements]))
        }
    }

    @Test func everyAdapterBeginsWithTheSameNumbersEverywhere() throws {
        let adapter = AdapterLayout(base: Self.layout, rank: 3, targets: ["fc1", "fc2"])
        let values = adapter.initialValues(seed: 7)
        // Computed with numpy: if these values changed, sites and coordinators of different versions would disagree.
        #expect(values.prefix(3).map(\.bitPattern) == [3178909707, 3196664891, 1046717219])
        for module in adapter.modules {
            #expect(values[module.b].allSatisfy { $0 == 0 })
            #expect(
                values[module.a].allSatisfy { abs($0) <= 1 / Float(module.inputs).squareRoot() }
                    && Set(values[module.a]).count > 10
            )
        }
    }
}
