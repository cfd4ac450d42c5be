import Tensors

/// The built-in vision-language-action policy: one bidirectional transformer encoder over
/// [image patches | words | state | action queries], giving a chunk of actions.
///
/// Pre-LayerNorm, GELU (tanh), learned positions; all weights lie in one flat buffer in the order of their file, so an
/// update is one subtraction and an optimiser step one loop.
public struct Policy: Sendable {
    public let configuration: PolicyConfiguration
    public let layout: TensorLayout
    /// All weights, in the order of the layout.
    public var weights: [Float]
    let offsets: Offsets

    /// Loads a model's file; its tensors must be exactly those of its `config`.
    public init(_ file: SafetensorsFile) throws {
        guard let json = file.header[metadata: "config"] else {
            throw LearningError("the model has no config in its metadata", hint: "the native trainer reads the policy's shape from there")
        }
        let configuration = try PolicyConfiguration(json: json)
        let expected = configuration.layout
        guard file.layout == expected else {
            let names = Set(file.layout.tensors.map(\.name)), wanted = Set(expected.tensors.map(\.name))
            let odd = names.symmetricDifference(wanted).sorted().first
            throw LearningError("the model's tensors are not those of its config", hint: odd.map { "look at \($0)" } ?? "their shapes or order differ")
        }
        self.init(configuration, weights: try file.float32s())
    }

    public init(_ configuration: PolicyConfiguration, weights: [Float]) {
        self.configuration = configuration
        layout = configuration.layout
        precondition(weights.count == layout.elementCount)
        self.weights = weights
        offsets = Offsets(configuration, layout)
    }

    /// Writes the policy as a model file.
    public func write(to path: String) throws {
        let writer = try SafetensorsWriter(path: path, layout: layout, metadata: [("config", configuration.json)])
        try writer.append(weights)
        try writer.finish()
    }
}

/// Where each tensor begins in the flat buffer, in elements.
struct Offsets: Sendable {
    struct Linear: Sendable { var weight = 0, bias = 0 }
    struct Block: Sendable { var norm1 = Linear(), norm2 = Linear(), qkv = Linear(), proj = Linear(), fc1 = Linear(), fc2 = Linear() }

    let patch: Linear
    let state: Linear
    let head: Linear
    let norm: Linear
    let word: Int
    let positions: Int
    let blocks: [Block]

    init(_ configuration: PolicyConfiguration, _ layout: TensorLayout) {
        let starts = Dictionary(uniqueKeysWithValues: layout.tensors.map { ($0.name, $0.range.lowerBound / 4) })
        func pair(_ name: String) -> Linear { Linear(weight: starts["\(name).weight"]!, bias: starts["\(name).bias"]!) }
        patch = configuration.usesImage ? pair("patch") : Linear()
        state = pair("state")
        head = pair("head")
        norm = pair("ln")
        word = starts["word.weight"]!
        positions = starts["pos"]!
        blocks = (0..<configuration.layers).map { layer in
            let block = "blocks.\(layer)"
            return Block(
                norm1: pair("\(block).ln1"), norm2: pair("\(block).ln2"), qkv: pair("\(block).qkv"),
                proj: pair("\(block).proj"), fc1: pair("\(block).fc1"), fc2: pair("\(block).fc2"))
        }
    }
}
