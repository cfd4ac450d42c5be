import Tensors

/// The shape of the built-in policy; stored as `config` in a model's metadata.
public struct PolicyConfiguration: Equatable, Sendable {
    public var contract: Contract
    public var objective: Objective
    /// The side of the square image patches, in pixels; the same for all cameras.
    public var patchSide: Int
    /// The length of an instruction in words (0 without an instruction), and the size of the hashed vocabulary.
    public var words: Int
    public var vocabulary: Int
    /// The width of a token, the numbers of layers and heads, and the width of the feed-forward network.
    public var width: Int
    public var layers: Int
    public var heads: Int
    public var feedForward: Int
    /// The number of actions that are predicted at a time.
    public var chunk: Int

    /// Creates a configuration. The values are not checked, unlike those that are read from a model's file.
    ///
    /// - Parameters:
    ///   - contract: What the policy is for and what it is fed.
    ///   - objective: The loss that training minimises.
    ///   - patchSide: The side of the square image patches, in pixels; it divides the sides of all cameras' images.
    ///   - words: The length of an instruction in words; 0 without an instruction.
    ///   - vocabulary: The size of the vocabulary, into which words are hashed.
    ///   - width: The width of a token: a multiple of `heads`, and for flow matching even and at least 4.
    ///   - layers: The number of transformer layers.
    ///   - heads: The number of attention heads in a layer.
    ///   - feedForward: The width of the feed-forward network in a layer.
    ///   - chunk: The number of actions that are predicted at a time.
    public init(
        _ contract: Contract,
        objective: Objective = .absoluteError,
        patchSide: Int = 12,
        words: Int = 12,
        vocabulary: Int = 512,
        width: Int = 96,
        layers: Int = 3,
        heads: Int = 4,
        feedForward: Int = 384,
        chunk: Int = 4
    ) {
        self.contract = contract
        self.objective = objective
        self.patchSide = patchSide
        self.words = words
        self.vocabulary = vocabulary
        self.width = width
        self.layers = layers
        self.heads = heads
        self.feedForward = feedForward
        self.chunk = chunk
    }

    public var stateCount: Int { contract.stateCount }
    public var actionCount: Int { contract.action.dimensions.count }
    public var usesImages: Bool { !contract.cameras.isEmpty }
    public var usesState: Bool { stateCount > 0 }
    /// The number of patches of all cameras together.
    public var patches: Int { contract.cameras.reduce(0) { $0 + patches(of: $1) } }
    func patches(of camera: Camera) -> Int { (camera.height / patchSide) * (camera.width / patchSide) }
    public var patchPixels: Int { 3 * patchSide * patchSide }
    /// The position of the state's token, after the patches and the words.
    package var statePosition: Int { patches + words }
    /// The number of tokens: patches, words, the state, and a query for each action of the chunk.
    public var tokens: Int { patches + words + (usesState ? 1 : 0) + chunk }
    public var headWidth: Int { width / heads }

    /// The tensors of a policy of this shape, in the order of its file.
    public var layout: TensorLayout {
        var tensors: [(name: String, type: ElementType, shape: [Int])] = []
        func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
            tensors += [("\(name).weight", .f32, [outputs, inputs]), ("\(name).bias", .f32, [outputs])]
        }
        func norm(_ name: String) {
            tensors += [("\(name).weight", .f32, [width]), ("\(name).bias", .f32, [width])]
        }
        if usesImages { linear("patch", width, patchPixels) }
        if usesState { linear("state", width, stateCount) }
        if words > 0 { tensors.append(("word.weight", .f32, [vocabulary, width])) }
        if objective == .flowMatching {
            linear("action_in", width, actionCount)
            linear("time", width, width)
        }
        linear("head", actionCount, width)
        norm("ln")
        tensors.append(("pos", .f32, [tokens, width]))
        for layer in 0..<layers {
            norm("blocks.\(layer).ln1")
            norm("blocks.\(layer).ln2")
            linear("blocks.\(layer).qkv", 3 * width, width)
            linear("blocks.\(layer).proj", width, width)
            linear("blocks.\(layer).fc1", feedForward, width)
            linear("blocks.\(layer).fc2", width, feedForward)
        }
        return TensorLayout(tensors)
    }
}

/// The loss that training minimises.
public enum Objective: String, Sendable, CaseIterable {
    /// mean |predicted − target|, as in ACT (Zhao 2023, arXiv:2304.13705).
    case absoluteError = "l1"
    /// mean (predicted − target)².
    case squaredError = "mse"
    /// The policy predicts the velocity from noise to the actions (Lipman 2023, arXiv:2210.02747), as in π0
    /// (arXiv:2410.24164): x = t·actions + (1 − t)·noise, velocity = actions − noise, mean squared error.
    case flowMatching = "flow_matching"
}
