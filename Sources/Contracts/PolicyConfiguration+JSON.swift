import Tensors

extension PolicyConfiguration {
    /// The value of `type` in the config of a policy that the native trainer supports.
    public static let type = "kumiai_vla"
    /// Limits for configurations in models' files, which may come from anywhere; README.md lists them.
    private static let maximumTokens = 16_384
    private static let maximumParameters = 1 << 31
    private static let maximumActivations = 1 << 31

    /// Reads the `config` of a model's metadata.
    ///
    /// - Parameter text: The configuration as a JSON object, whose `type` is "kumiai_vla".
    /// - Throws: ``ContractError`` if the text is not a valid configuration, or if it exceeds a limit.
    public init(json text: String) throws {
        let json: JSONValue
        do { json = try JSONParser.parse(Array(text.utf8)) } catch {
            throw ContractError("the model's config is not JSON: \(error)")
        }
        guard json["type"]?.string == Self.type else {
            throw ContractError(
                "the model's config has another type than \(Self.type)",
                hint: "the native trainer supports no other policy"
            )
        }
        let reader = try ConfigurationReader(
            json,
            in: "",
            names: [
                "type", "loss", "contract", "patch_size", "n_words", "vocab_size", "dim_model", "n_layers", "n_heads",
                "dim_feedforward", "chunk_size",
            ]
        )
        let loss = try reader.text("loss")
        guard let objective = Objective(rawValue: loss) else {
            throw ConfigurationReader.wrong(
                "loss",
                "is not one of \(Objective.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        self.init(
            try Contract(json: json["contract"]),
            objective: objective,
            patchSide: try reader.integer("patch_size", in: 1...1024),
            words: try reader.integer("n_words", in: 0...256),
            vocabulary: try reader.integer("vocab_size", in: 2...65_536),
            width: try reader.integer("dim_model", in: 1...8192),
            layers: try reader.integer("n_layers", in: 1...128),
            heads: try reader.integer("n_heads", in: 1...128),
            feedForward: try reader.integer("dim_feedforward", in: 1...65_536),
            chunk: try reader.integer("chunk_size", in: 1...512)
        )
        try check()
    }

    private func check() throws {
        guard width.isMultiple(of: heads) else {
            throw ConfigurationReader.wrong("n_heads", "does not divide dim_model")
        }
        guard objective != .flowMatching || (width.isMultiple(of: 2) && width >= 4) else {
            throw ConfigurationReader.wrong("dim_model", "must be even, and at least 4, for flow matching")
        }
        for camera in contract.cameras
        where !camera.height.isMultiple(of: patchSide) || !camera.width.isMultiple(of: patchSide) {
            throw ConfigurationReader.wrong("patch_size", "\(patchSide) does not divide the images of \(camera.key)")
        }
        guard contract.instruction.isEmpty == (words == 0) else {
            throw ConfigurationReader.wrong(
                "n_words",
                "and contract.instruction do not match: set both, or set n_words to 0 and leave the instruction empty"
            )
        }
        guard usesImages || words > 0 || usesState else {
            throw ConfigurationReader.wrong("contract", "has neither cameras nor an instruction nor a state")
        }
        let parameters =
            layers * (4 * width * width + 2 * width * feedForward)
            + (tokens + (words > 0 ? vocabulary : 0) + patchPixels) * width
        guard tokens <= Self.maximumTokens, parameters <= Self.maximumParameters else {
            throw ContractError(
                "the model's config needs \(tokens) tokens and \(parameters) parameters; "
                    + "at most \(Self.maximumTokens) and \(Self.maximumParameters) are allowed"
            )
        }
        // The values that a thread keeps for the backward pass of one sample.
        let activations = layers * (tokens * (9 * width + 3 * feedForward) + heads * tokens * tokens)
        guard activations <= Self.maximumActivations else {
            throw ContractError(
                """
                the model's config needs \(activations) activations per sample; at most \(Self.maximumActivations) \
                are allowed
                """,
                hint: "use larger patches, fewer layers or fewer heads"
            )
        }
    }

    /// The `config` of a model's metadata.
    public var json: String {
        """
        {"type": "\(Self.type)", "dim_model": \(width), "n_layers": \(layers), "n_heads": \(heads), \
        "dim_feedforward": \(feedForward), "patch_size": \(patchSide), "n_words": \(words), "vocab_size": \
        \(vocabulary), "chunk_size": \(chunk), "loss": "\(objective.rawValue)", "contract": \(contract.json)}
        """
    }
}
