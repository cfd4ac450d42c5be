import Tensors

/// The shape of the built-in policy, as the `config` in a model's metadata and a release's `config.json` give it.
public struct PolicyConfiguration: Equatable, Sendable {
    public enum Observation: String, Sendable {
        /// The robot's and the object's numbers: 39.
        case state
        /// A camera image, and the hand's position and gripper: 4 numbers.
        case image
        /// A camera image and all 39 numbers.
        case both
    }

    public var observation: Observation
    /// Side of the square camera image, and of its square patches, in pixels.
    public var imageSide: Int
    public var patchSide: Int
    /// Length of an instruction in words, and size of the hashed vocabulary.
    public var words: Int
    public var vocabulary: Int
    /// Width of a token, number of layers, heads, and width of the feed-forward part.
    public var width: Int
    public var layers: Int
    public var heads: Int
    public var feedForward: Int
    /// Actions predicted at once, and numbers in an action.
    public var chunk: Int
    public var actionCount: Int

    public init(
        observation: Observation, imageSide: Int = 48, patchSide: Int = 12, words: Int = 12, vocabulary: Int = 512,
        width: Int = 96, layers: Int = 3, heads: Int = 4, feedForward: Int = 384, chunk: Int = 4, actionCount: Int = 4
    ) {
        self.observation = observation
        self.imageSide = imageSide
        self.patchSide = patchSide
        self.words = words
        self.vocabulary = vocabulary
        self.width = width
        self.layers = layers
        self.heads = heads
        self.feedForward = feedForward
        self.chunk = chunk
        self.actionCount = actionCount
    }

    public var usesImage: Bool { observation != .state }
    public var stateCount: Int { observation == .image ? 4 : 39 }
    public var patches: Int { usesImage ? (imageSide / patchSide) * (imageSide / patchSide) : 0 }
    public var patchPixels: Int { 3 * patchSide * patchSide }
    /// Patches, words, the state, and a query for each action of the chunk.
    public var tokens: Int { patches + words + 1 + chunk }
    public var headWidth: Int { width / heads }

    /// The tensors of a policy of this shape, laid out as in its file.
    public var layout: TensorLayout {
        var tensors: [(name: String, type: ElementType, shape: [Int])] = []
        func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
            tensors += [("\(name).weight", .f32, [outputs, inputs]), ("\(name).bias", .f32, [outputs])]
        }
        func norm(_ name: String) {
            tensors += [("\(name).weight", .f32, [width]), ("\(name).bias", .f32, [width])]
        }
        if usesImage { linear("patch", width, patchPixels) }
        linear("state", width, stateCount)
        linear("head", actionCount, width)
        norm("ln")
        tensors += [("word.weight", .f32, [vocabulary, width]), ("pos", .f32, [tokens, width])]
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

/// A model that is no policy of ours, or demonstrations that do not fit it.
public struct LearningError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
    public var description: String { message }
}

extension PolicyConfiguration {
    /// Limits of shapes from outside.
    private static let limits: [(name: String, range: ClosedRange<Int>)] = [
        ("image", 1...1024), ("patch", 1...256), ("words", 1...256), ("vocab", 2...65_536), ("d", 1...4096),
        ("layers", 1...64), ("heads", 1...64), ("mlp", 1...16_384), ("chunk", 1...128), ("action_dim", 1...128),
    ]

    /// Reads the `config` of a model's metadata.
    public init(json: String) throws {
        let root: JSONValue
        do { root = try JSONParser.parse(Array(json.utf8)) } catch { throw LearningError("the model's config is not JSON: \(error)") }
        guard let observation = root["obs"]?.string.flatMap(Observation.init) else {
            throw LearningError("the model's config names no known obs", hint: "obs is one of state, image, both")
        }
        var values: [String: Int] = [:]
        for (name, range) in Self.limits {
            guard let value = root[name]?.integer, range.contains(value) else {
                throw LearningError("the model's config: \(name) is missing or outside \(range.lowerBound) to \(range.upperBound)")
            }
            values[name] = value
        }
        self.init(
            observation: observation, imageSide: values["image"]!, patchSide: values["patch"]!, words: values["words"]!,
            vocabulary: values["vocab"]!, width: values["d"]!, layers: values["layers"]!, heads: values["heads"]!,
            feedForward: values["mlp"]!, chunk: values["chunk"]!, actionCount: values["action_dim"]!)
        guard width.isMultiple(of: heads) else { throw LearningError("the model's config: heads does not divide d") }
        guard !usesImage || imageSide.isMultiple(of: patchSide) else { throw LearningError("the model's config: patch does not divide image") }
    }

    /// The `config` of a model's metadata.
    public var json: String {
        """
        {"obs": "\(observation.rawValue)", "image": \(imageSide), "patch": \(patchSide), "words": \(words), "vocab": \(vocabulary), \
        "d": \(width), "layers": \(layers), "heads": \(heads), "mlp": \(feedForward), "chunk": \(chunk), "action_dim": \(actionCount)}
        """
    }
}
