import Contracts
import Policies
import Federation
import Tensors

/// A site's training of an adapter in a round: the start values, and the part of the result that is sent.
///
/// A site that trains fewer components than the plan's trains the first ones; the others are folded into the model.
struct AdapterTurn {
    let policy: Policy
    let start: Adapter
    private let part: AdapterLayout

    /// - Parameters:
    ///   - global: The global adapter's factors, in the order of `trained.adapter`.
    ///   - rank: The number of components that this site trains, at most the plan's.
    /// - Throws: `ContractError` if the native trainer cannot train the adapter.
    init(_ trained: TrainedTensors, _ lora: LoRA, policy: Policy, global: [Float], rank: Int) throws {
        let whole = trained.adapter!
        part = trained.part(rank: rank)!
        let layout = AdapterLayout(base: policy.layout, rank: rank, targets: lora.targets)
        var values = [Float](repeating: 0, count: layout.layout.elementCount)
        var rest = global
        for (mine, all) in zip(layout.modules, whole.modules) {
            values.replaceSubrange(mine.a, with: global[all.a.prefix(mine.a.count)])
            for index in all.a.prefix(mine.a.count) { rest[index] = 0 }
            for row in 0..<mine.outputs {
                for k in 0..<rank {
                    values[mine.b.lowerBound + row * rank + k] = global[all.b.lowerBound + row * whole.rank + k]
                }
            }
        }
        start = Adapter(layout, scale: Float(lora.scale), trained: trained.factors!, values: values)
        let others = Adapter(whole, scale: Float(lora.scale), values: rest)
        self.policy = rank < whole.rank ? others.folded(into: policy) : policy
        try layout.checkTrainable()
    }

    /// The changes of the factors that this round trains, in the order of the update.
    func change(to end: Adapter) -> [Float] {
        var change = [Float](repeating: 0, count: part.layout.elementCount)
        for (mine, sent) in zip(start.layout.modules, part.modules) {
            for (range, place) in [(mine.a, sent.a), (mine.b, sent.b)] {
                for (index, target) in zip(range, place) { change[target] = end.values[index] - start.values[index] }
            }
        }
        return change
    }
}
