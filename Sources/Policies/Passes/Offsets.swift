import Contracts
import Tensors

/// The start of each tensor in the flat buffer of the weights, and of its factors in the buffer of the adapter, in
/// elements.
struct Offsets: Sendable {
    struct Norm: Sendable { var weight = 0, bias = 0 }

    struct Linear: Sendable {
        var weight = 0, bias = 0
        var factors: Factors?

        /// Returns the part of the module that computes the outputs from `row` on.
        func rows(from row: Int, inputs: Int) -> Linear {
            Linear(
                weight: weight + row * inputs,
                bias: bias + row,
                factors: factors.map { Factors(a: $0.a, b: $0.b + row * $0.rank, rank: $0.rank) }
            )
        }
    }

    /// The starts of a module's A [rank, in] and B [out, rank] in the adapter.
    struct Factors: Sendable { var a = 0, b = 0, rank = 0 }
    struct Block: Sendable {
        var norm1 = Norm(), norm2 = Norm(), qkv = Linear(), proj = Linear(), fc1 = Linear(), fc2 = Linear()
    }

    let patch: Linear
    let state: Linear
    let actionIn: Linear
    let time: Linear
    let head: Linear
    let norm: Norm
    let word: Int
    let positions: Int
    let blocks: [Block]

    init(_ configuration: PolicyConfiguration, _ layout: TensorLayout, adapter: AdapterLayout? = nil) {
        let starts = layout.elementRanges.mapValues(\.lowerBound)
        let modules = Dictionary(uniqueKeysWithValues: (adapter?.modules ?? []).map { ($0.name, $0) })
        func linear(_ name: String) -> Linear {
            let factors = modules[name].map {
                Factors(a: $0.a.lowerBound, b: $0.b.lowerBound, rank: adapter?.rank ?? 0)
            }
            return Linear(weight: starts["\(name).weight"] ?? 0, bias: starts["\(name).bias"] ?? 0, factors: factors)
        }
        func norm(_ name: String) -> Norm { Norm(weight: starts["\(name).weight"]!, bias: starts["\(name).bias"]!) }
        patch = linear("patch")
        state = linear("state")
        actionIn = linear("action_in")
        time = linear("time")
        head = linear("head")
        self.norm = norm("ln")
        word = starts["word.weight"] ?? 0
        positions = starts["pos"]!
        blocks = (0..<configuration.layers).map { layer in
            let block = "blocks.\(layer)"
            return Block(
                norm1: norm("\(block).ln1"),
                norm2: norm("\(block).ln2"),
                qkv: linear("\(block).qkv"),
                proj: linear("\(block).proj"),
                fc1: linear("\(block).fc1"),
                fc2: linear("\(block).fc2")
            )
        }
    }
}
