import Contracts
import CKernels
import Dispatch
import Federation
import Tensors
import Updates

/// Combines updates of adapters.
///
/// A site's factors are A = A₀ + dA and B = B₀ + dB; it sends dA and dB. The mean of the products B·A exceeds the
/// product of the means by mean(dB·dA) − mean(dB)·mean(dA), independent of A₀ and B₀. This is the residual of
/// FedEx-LoRA, which exact aggregation folds into the model. For a site that trains fewer components, the others are
/// zero.
///
/// Memory: a few times the adapter, plus `threads` × (one block of rows of a weight, and one site's factors).
struct AdapterReducer {
    private let task: AggregationTask
    private let lora: LoRA
    private let input: RoundInput
    private let threads: Int
    private let adapter: AdapterLayout
    private let trained: TrainedTensors
    /// The layout of updates, by the site's rank.
    private let parts: [Int: AdapterLayout]
    /// The number of elements in a block of rows: 8 MiB of float64.
    private static let blockElements = 1 << 20

    init(_ task: AggregationTask, _ lora: LoRA, _ input: RoundInput, threads: Int) {
        self.task = task
        self.lora = lora
        self.input = input
        self.threads = threads
        trained = TrainedTensors(task.training, base: input.model.layout, round: task.key.round)
        adapter = trained.adapter!
        var parts: [Int: AdapterLayout] = [:]
        for rank in Set(input.updates.compactMap(\.rank)) { parts[rank] = trained.part(rank: rank) }
        self.parts = parts
    }

    func reduce(_ output: RoundOutput) throws {
        guard !adapter.modules.isEmpty else { throw AggregationError("the plan's targets name no module of the model") }
        let sums = try summedFactors()
        let factors = try nextFactors(sums, output)
        if task.makesAdapter {
            let writer = try output.adapter(adapter.layout)
            try writer.append(factors)
            try writer.finish()
        }
        if task.makesModel {
            let denominator = FixedPointSum.denominator(task)
            try writeModel(
                Factors(mean: sums.map { Double($0) / denominator }, next: factors.map { Double($0) }),
                output
            )
        }
    }

    // MARK: Factors

    /// Returns the integer sums of all changes, in the order of the adapter.
    private func summedFactors() throws -> [Int64] {
        var sums = [Int64](repeating: 0, count: adapter.layout.elementCount)
        try sums.withUnsafeMutableBufferPointer { sums in
            for (contribution, update) in zip(task.contributions, input.updates) {
                let part = parts[update.rank!]!
                for (module, sent) in zip(adapter.modules, part.modules) {
                    let a = try update.values(sent.a)
                    try accumulate(a, into: sums.baseAddress! + module.a.lowerBound, contribution)
                    let b = widened(try update.values(sent.b), rows: sent.outputs, from: part.rank)
                    try accumulate(b, into: sums.baseAddress! + module.b.lowerBound, contribution)
                }
            }
        }
        return sums
    }

    private func accumulate(
        _ values: [Float],
        into sums: UnsafeMutablePointer<Int64>,
        _ contribution: AggregationTask.Contribution
    ) throws {
        try values.withUnsafeBufferPointer { values in
            guard let start = values.baseAddress else { return }
            try FixedPointSum.accumulate([(start, contribution)], count: values.count, into: sums, task)
        }
    }

    /// Extends rows × rank to rows × the plan's rank, with zeros.
    private func widened(_ b: [Float], rows: Int, from rank: Int) -> [Float] {
        guard rank < adapter.rank, !b.isEmpty else { return b }
        var wide = [Float](repeating: 0, count: rows * adapter.rank)
        for row in 0..<rows { for k in 0..<rank { wide[row * adapter.rank + k] = b[row * rank + k] } }
        return wide
    }

    /// Updates the trained factors by the strategy; the others are unchanged.
    private func nextFactors(_ sums: [Int64], _ output: RoundOutput) throws -> [Float] {
        let start = try input.adapter?.float32s() ?? adapter.initialValues(seed: task.training.seed)
        let slots = task.strategy.stateSlots
        var state = try input.serverState?.float32s() ?? [Float](repeating: 0, count: slots * start.count)
        var next = start
        for range in adapter.ranges(of: trained.factors!) {
            state.withUnsafeMutableBufferPointer { state in
                next.withUnsafeMutableBufferPointer { next in
                    start.withUnsafeBufferPointer { start in
                        sums.withUnsafeBufferPointer { sums in
                            task.strategy.optimizer.step(
                                sums: UnsafeBufferPointer(rebasing: sums[range]),
                                denominator: FixedPointSum.denominator(task),
                                weights: UnsafeBufferPointer(rebasing: start[range]),
                                state: UnsafeMutableBufferPointer(
                                    rebasing: state[slots * range.lowerBound..<slots * range.upperBound]
                                ),
                                next: UnsafeMutableBufferPointer(rebasing: next[range])
                            )
                        }
                    }
                }
            }
        }
        if slots > 0 {
            let writer = try output.state(ServerState.layout(of: adapter.layout, slots: slots))
            try writer.append(state)
            try writer.finish()
        }
        return next
    }

    // MARK: The model

    /// Values in the order of the adapter.
    private struct Factors {
        /// The mean changes.
        let mean: [Double]
        let next: [Double]
    }

    /// A block of rows of a module's weight.
    private struct Block {
        let module: Int
        let rows: Range<Int>
    }

    private func writeModel(_ factors: Factors, _ output: RoundOutput) throws {
        let layout = input.model.layout
        let writer = try output.model(layout, input.model.header.metadata)
        let modules = Dictionary(uniqueKeysWithValues: adapter.modules.enumerated().map { ("\($1.name).weight", $0) })
        let ranges = layout.elementRanges
        for tensor in layout.tensors {
            if let module = modules[tensor.name] {
                try writeModule(module, factors, writer)
            } else {
                let range = ranges[tensor.name]!
                for first in stride(from: range.lowerBound, to: range.upperBound, by: Self.blockElements) {
                    try writer.append(weights(first, min(Self.blockElements, range.upperBound - first)))
                }
            }
        }
        try writer.finish()
    }

    private func writeModule(_ index: Int, _ factors: Factors, _ writer: SafetensorsWriter) throws {
        let module = adapter.modules[index]
        let rows = max(1, Self.blockElements / module.inputs)
        let blocks = stride(from: 0, to: module.outputs, by: rows).map { first in
            Block(module: index, rows: first..<min(module.outputs, first + rows))
        }
        for first in stride(from: 0, to: blocks.count, by: threads) {
            // Process a few blocks at a time, one per thread; they share no data.
            for result in Parallel.map(
                Array(blocks[first..<min(blocks.count, first + threads)]),
                { block in Result { try next(block, factors) } }
            ) {
                try writer.append(try result.get())
            }
        }
    }

    /// Returns W + scale·residual and, in the last round, + scale·B·A of the next factors.
    private func next(_ block: Block, _ factors: Factors) throws -> [Float] {
        let module = adapter.modules[block.module]
        let count = block.rows.count * module.inputs
        var delta = lora.aggregation == .exact ? try meanProduct(block) : [Double](repeating: 0, count: count)
        if lora.aggregation == .exact { add(factors.mean, -1, block, to: &delta) }
        if task.isLastRound { add(factors.next, 1, block, to: &delta) }
        let weights = try weights(module.weight.lowerBound + block.rows.lowerBound * module.inputs, count)
        var next = weights
        kumiai_shift(weights, delta, &next, Int64(count), lora.scale)
        return next
    }

    /// Returns mean(dB·dA) for the block's rows, summed in fixed point.
    private func meanProduct(_ block: Block) throws -> [Double] {
        let inputs = adapter.modules[block.module].inputs
        var sums = [Int64](repeating: 0, count: block.rows.count * inputs)
        var scratch = [Double](repeating: 0, count: inputs)
        let scale = FixedPointSum.scale(task.productScaleBits)
        for (contribution, update) in zip(task.contributions, input.updates) {
            let rank = update.rank!
            let sent = parts[rank]!.modules[block.module]
            let a = try update.values(sent.a)
            let b = try update.values(
                sent.b.lowerBound + block.rows.lowerBound * rank..<sent.b.lowerBound + block.rows.upperBound * rank
            )
            let largest = kumiai_accumulate_product(
                &sums,
                b,
                a,
                Int64(block.rows.count),
                Int64(inputs),
                Int64(rank),
                scale,
                Int64(contribution.weight),
                &scratch
            )
            guard largest <= task.bound * task.bound else { throw FixedPointSum.overBound(contribution) }
        }
        let denominator = Double(task.totalWeight) * scale
        return sums.map { Double($0) / denominator }
    }

    /// delta += sign·B·A for the block's rows.
    private func add(_ factors: [Double], _ sign: Double, _ block: Block, to delta: inout [Double]) {
        let module = adapter.modules[block.module]
        let rows =
            module.b.lowerBound + block.rows.lowerBound * adapter.rank..<module.b.lowerBound + block.rows.upperBound
            * adapter.rank
        factors.withUnsafeBufferPointer { factors in
            kumiai_add_product(
                &delta,
                factors.baseAddress! + rows.lowerBound,
                factors.baseAddress! + module.a.lowerBound,
                Int64(block.rows.count),
                Int64(module.inputs),
                Int64(adapter.rank),
                sign
            )
        }
    }

    private func weights(_ start: Int, _ count: Int) throws -> [Float] {
        try input.model.float32s(start..<start + count)
    }
}

/// Runs independent work on several threads.
enum Parallel {
    static func map<Input: Sendable, Output: Sendable>(_ inputs: [Input], _ body: @Sendable (Input) -> Output)
        -> [Output]
    {
        guard inputs.count > 1 else { return inputs.map(body) }
        var outputs = [Output?](repeating: nil, count: inputs.count)
        outputs.withUnsafeMutableBufferPointer { buffer in
            // Each iteration writes to a different element.
            nonisolated(unsafe) let places = buffer
            DispatchQueue.concurrentPerform(iterations: inputs.count) { places[$0] = body(inputs[$0]) }
        }
        return outputs.map { $0! }
    }
}
