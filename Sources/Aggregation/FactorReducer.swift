import Contracts
import Federation
import Tensors
import Updates

/// Computes the next values of an adapter's factors, any rows at a time.
///
/// All updates are read again for each request, so that memory depends neither on the size of the adapter nor on the
/// number of sites.
struct FactorReducer: Sendable {
    /// Some rows of one factor of one module.
    struct Rows: Sendable {
        let module: Int
        /// Whether they are rows of A (rank × inputs) or of B (outputs × rank).
        let isA: Bool
        let rows: Range<Int>
    }

    private let task: AggregationTask
    private let input: RoundInput
    let adapter: AdapterLayout
    private let trained: AdapterFactors
    /// The layout of updates, by the site's rank.
    private let parts: [Int: AdapterLayout]

    init(_ task: AggregationTask, _ input: RoundInput) {
        self.task = task
        self.input = input
        let tensors = TrainedTensors(task.training, base: input.model.layout, round: task.key.round)
        adapter = tensors.adapter!
        trained = tensors.factors!
        var parts: [Int: AdapterLayout] = [:]
        for rank in Set(input.updates.compactMap(\.rank)) { parts[rank] = tensors.part(rank: rank) }
        self.parts = parts
    }

    /// The updates with their contributions, and where each of them holds a module.
    func sent(_ module: Int) -> [(AggregationTask.Contribution, UpdateReader, rank: Int, AdapterLayout.Module)] {
        zip(task.contributions, input.updates).map { ($0, $1, $1.rank!, parts[$1.rank!]!.modules[module]) }
    }

    /// Divides the adapter into rows of about `elements` values each, in the order of its layout.
    func rows(of elements: Int) -> [Rows] {
        adapter.modules.enumerated().flatMap { index, module in
            split(index, isA: true, of: elements) + split(index, isA: false, of: elements)
        }.sorted { range($0).lowerBound < range($1).lowerBound }
    }

    private func split(_ module: Int, isA: Bool, of elements: Int) -> [Rows] {
        let all = all(module, isA: isA)
        return stride(from: 0, to: all.rows.count, by: max(1, elements / width(all))).map { first in
            let count = min(max(1, elements / width(all)), all.rows.count - first)
            return Rows(module: module, isA: isA, rows: first..<first + count)
        }
    }

    /// Returns all rows of a factor.
    func all(_ module: Int, isA: Bool) -> Rows {
        Rows(module: module, isA: isA, rows: 0..<(isA ? adapter.rank : adapter.modules[module].outputs))
    }

    /// The number of values in a row.
    private func width(_ rows: Rows) -> Int { rows.isA ? adapter.modules[rows.module].inputs : adapter.rank }

    /// Returns where the rows are in the adapter, in elements.
    private func range(_ rows: Rows) -> Range<Int> {
        let module = adapter.modules[rows.module], width = width(rows)
        let start = (rows.isA ? module.a : module.b).lowerBound
        return start + rows.rows.lowerBound * width..<start + rows.rows.upperBound * width
    }

    // MARK: Sums

    /// Returns the weighted mean of the sites' changes, of their ``sums(_:)``.
    func mean(_ sums: [Int64]) -> [Double] {
        let denominator = FixedPointSum.denominator(task)
        return sums.map { Double($0) / denominator }
    }

    /// Returns the weighted sums of the sites' changes in fixed point; reads all updates.
    ///
    /// - Throws: `AggregationError` if a value exceeds the plan's bound, or an error of the files.
    func sums(_ rows: Rows) throws -> [Int64] {
        var sums = [Int64](repeating: 0, count: rows.rows.count * width(rows))
        try sums.withUnsafeMutableBufferPointer { sums in
            for (contribution, update, rank, module) in sent(rows.module) {
                let values = rows.isA ? try a(update, module, rank, rows) : try b(update, module, rank, rows)
                try values.withUnsafeBufferPointer { values in
                    guard let start = values.baseAddress, values.count > 0 else { return }
                    try FixedPointSum.accumulate(
                        [(start, contribution)],
                        count: values.count,
                        into: sums.baseAddress!,
                        task
                    )
                }
            }
        }
        return sums
    }

    /// Returns the rows of a site's A: those of its own rank; further rows are zero, and none of them is returned.
    private func a(_ update: UpdateReader, _ sent: AdapterLayout.Module, _ rank: Int, _ rows: Rows) throws -> [Float] {
        let own = rows.rows.clamped(to: 0..<rank)
        guard !sent.a.isEmpty, !own.isEmpty else { return [] }
        let start = sent.a.lowerBound
        return try update.values(start + own.lowerBound * sent.inputs..<start + own.upperBound * sent.inputs)
    }

    /// Returns the rows of a site's B, extended with zeros to the plan's rank.
    private func b(_ update: UpdateReader, _ sent: AdapterLayout.Module, _ rank: Int, _ rows: Rows) throws -> [Float] {
        guard !sent.b.isEmpty else { return [] }
        let start = sent.b.lowerBound
        let values = try update.values(start + rows.rows.lowerBound * rank..<start + rows.rows.upperBound * rank)
        guard rank < adapter.rank else { return values }
        var wide = [Float](repeating: 0, count: rows.rows.count * adapter.rank)
        for row in 0..<rows.rows.count {
            for k in 0..<rank { wide[row * adapter.rank + k] = values[row * rank + k] }
        }
        return wide
    }

    // MARK: The next values

    /// Returns the next values of the rows and of their server state: by the strategy if this round trains the factor,
    /// unchanged if it does not.
    ///
    /// - Throws: `AggregationError` if a value exceeds the plan's bound, or an error of the files.
    func next(_ rows: Rows) throws -> (values: [Float], state: [Float]) { try next(rows, sums(rows)) }

    /// The same, with the ``sums(_:)`` of these rows.
    func next(_ rows: Rows, _ sums: [Int64]) throws -> (values: [Float], state: [Float]) {
        let range = range(rows), slots = task.strategy.stateSlots
        let start =
            try input.adapter?.float32s(range) ?? adapter.initialValues(range, seed: task.training.seed)
        var state =
            try input.serverState?.float32s(slots * range.lowerBound..<slots * range.upperBound)
            ?? [Float](repeating: 0, count: slots * range.count)
        guard trained.contains(rows.isA ? .a : .b) else { return (start, state) }
        var next = start
        state.withUnsafeMutableBufferPointer { state in
            next.withUnsafeMutableBufferPointer { next in
                start.withUnsafeBufferPointer { start in
                    sums.withUnsafeBufferPointer { sums in
                        task.strategy.optimizer.step(
                            sums: sums,
                            denominator: FixedPointSum.denominator(task),
                            weights: start,
                            state: state,
                            next: next
                        )
                    }
                }
            }
        }
        return (next, state)
    }
}
