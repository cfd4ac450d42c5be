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
/// Memory: the factors of one module, and `threads` × (one block of rows of a weight, and one site's A of the module);
/// independent of the size of the model and of the number of modules and sites.
struct AdapterReducer {
    private let task: AggregationTask
    private let lora: LoRA
    private let input: RoundInput
    private let threads: Int
    private let factors: FactorReducer
    private var adapter: AdapterLayout { factors.adapter }
    /// The number of elements in a block of rows.
    private let blockElements: Int
    /// 8 MiB of float64.
    static let defaultBlockElements = 1 << 20

    init(
        _ task: AggregationTask,
        _ lora: LoRA,
        _ input: RoundInput,
        threads: Int,
        blockElements: Int = defaultBlockElements
    ) {
        self.task = task
        self.lora = lora
        self.input = input
        self.threads = threads
        self.blockElements = blockElements
        factors = FactorReducer(task, input)
    }

    func reduce(_ output: RoundOutput) throws {
        guard !adapter.modules.isEmpty else { throw AggregationError("the plan's targets name no module of the model") }
        try writeFactors(output)
        if task.makesModel { try writeModel(output) }
    }

    // MARK: Factors

    private func writeFactors(_ output: RoundOutput) throws {
        let slots = task.strategy.stateSlots
        let next = try task.makesAdapter ? output.adapter(adapter.layout) : nil
        let state = try slots > 0 ? output.state(ServerState.layout(of: adapter.layout, slots: slots)) : nil
        guard next != nil || state != nil else { return }
        try forEachBlock(factors.rows(of: blockElements), factors.next) { block in
            try next?.append(block.values)
            try state?.append(block.state)
        }
        try next?.finish()
        try state?.finish()
    }

    /// Computes some blocks at a time, one per thread, because they share no data; uses the results in order.
    private func forEachBlock<Block: Sendable, Result: Sendable>(
        _ blocks: [Block],
        _ compute: @Sendable (Block) throws -> Result,
        _ use: (Result) throws -> Void
    ) throws {
        for first in stride(from: 0, to: blocks.count, by: threads) {
            let some = Array(blocks[first..<min(blocks.count, first + threads)])
            for result in Parallel.map(some, { block in Swift.Result { try compute(block) } }) {
                try use(try result.get())
            }
        }
    }

    // MARK: The model

    /// A module's factors, as float64.
    private struct Factors: Sendable {
        let a: [Double]
        let b: [Double]
    }

    /// What is added to the rows of one module's weight.
    private struct Addition: Sendable {
        let index: Int
        /// The mean changes, whose product is subtracted; `nil` without exact aggregation.
        let mean: Factors?
        /// The next factors, whose product is added; `nil` before the last round.
        let next: Factors?
    }

    private func writeModel(_ output: RoundOutput) throws {
        let layout = input.model.layout
        let writer = try output.model(layout, input.model.header.metadata)
        let modules = Dictionary(uniqueKeysWithValues: adapter.modules.enumerated().map { ("\($1.name).weight", $0) })
        let ranges = layout.elementRanges
        for tensor in layout.tensors {
            if let module = modules[tensor.name] {
                try writeModule(addition(module), writer)
            } else {
                let range = ranges[tensor.name]!
                for first in stride(from: range.lowerBound, to: range.upperBound, by: blockElements) {
                    try writer.append(weights(first, min(blockElements, range.upperBound - first)))
                }
            }
        }
        try writer.finish()
    }

    private func addition(_ index: Int) throws -> Addition {
        let rows = [factors.all(index, isA: true), factors.all(index, isA: false)]
        // Read once for both.
        let sums = try rows.map(factors.sums)
        func pair(_ values: [[Double]]) -> Factors { Factors(a: values[0], b: values[1]) }
        return Addition(
            index: index,
            mean: lora.aggregation == .exact ? pair(sums.map(factors.mean)) : nil,
            next: try task.isLastRound
                ? pair(zip(rows, sums).map { try factors.next($0, $1).values.map { Double($0) } }) : nil
        )
    }

    private func writeModule(_ addition: Addition, _ writer: SafetensorsWriter) throws {
        let module = adapter.modules[addition.index]
        let rows = max(1, blockElements / module.inputs)
        let blocks = stride(from: 0, to: module.outputs, by: rows).map { first in
            first..<min(module.outputs, first + rows)
        }
        try forEachBlock(blocks, { try next($0, addition) }, { try writer.append($0) })
    }

    /// Returns W + scale·residual and, in the last round, + scale·B·A of the next factors.
    private func next(_ rows: Range<Int>, _ addition: Addition) throws -> [Float] {
        let module = adapter.modules[addition.index]
        let count = rows.count * module.inputs
        var delta = [Double](repeating: 0, count: count)
        if let mean = addition.mean {
            delta = try meanProduct(rows, addition.index)
            add(mean, -1, rows, module, to: &delta)
        }
        if let next = addition.next { add(next, 1, rows, module, to: &delta) }
        let weights = try weights(module.weight.lowerBound + rows.lowerBound * module.inputs, count)
        var next = weights
        kumiai_shift(weights, delta, &next, Int64(count), lora.scale)
        return next
    }

    /// Returns mean(dB·dA) for some rows of a module, summed in fixed point.
    private func meanProduct(_ rows: Range<Int>, _ index: Int) throws -> [Double] {
        let inputs = adapter.modules[index].inputs
        var sums = [Int64](repeating: 0, count: rows.count * inputs)
        var scratch = [Double](repeating: 0, count: inputs)
        let scale = FixedPointSum.scale(task.productScaleBits)
        for (contribution, update, rank, sent) in factors.sent(index) {
            let start = sent.b.lowerBound
            let largest = kumiai_accumulate_product(
                &sums,
                try update.values(start + rows.lowerBound * rank..<start + rows.upperBound * rank),
                try update.values(sent.a),
                Int64(rows.count),
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

    /// delta += sign·B·A for some rows of a module.
    private func add(
        _ factors: Factors,
        _ sign: Double,
        _ rows: Range<Int>,
        _ module: AdapterLayout.Module,
        to delta: inout [Double]
    ) {
        factors.b.withUnsafeBufferPointer { b in
            kumiai_add_product(
                &delta,
                b.baseAddress! + rows.lowerBound * adapter.rank,
                factors.a,
                Int64(rows.count),
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
