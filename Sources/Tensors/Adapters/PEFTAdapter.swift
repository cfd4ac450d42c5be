import Glibc

/// A LoRA adapter as PEFT keeps it: a directory of `adapter_config.json` and `adapter_model.safetensors`.
public struct PEFTAdapter: Sendable {
    /// One module's part: W + scale·B·A.
    public struct Module: Equatable, Sendable {
        public let name: String
        public let rank: Int
        public let outputs: Int
        public let inputs: Int
        public let scale: Double
        /// rank × inputs.
        public let a: [Float]
        /// outputs × rank.
        public let b: [Float]
    }

    /// Sorted by name.
    public let modules: [Module]
    /// Tensors that take the place of the base's: of `modules_to_save`, and trained biases.
    public let replacements: [String: [Float]]
    /// Weights of the base are [in, out].
    public let isTransposed: Bool
    /// SHA-256 of the base model's file, where the adapter says it.
    public let baseDigest: String?
    private static let baseDigestName = "base_sha256"

    public static let configurationName = "adapter_config.json"
    public static let weightsName = "adapter_model.safetensors"
    static let maximumConfigurationBytes = 1 << 20

    // MARK: Writing

    /// Writes a directory that `peft.PeftModel.from_pretrained` loads. The directory must exist.
    ///
    /// - Parameters:
    ///   - values: in the order of the layout.
    ///   - alpha: the scale is alpha over the layout's rank.
    ///   - baseDigest: SHA-256 of the base model's file in hexadecimal.
    public static func write(
        _ values: [Float], of layout: AdapterLayout, alpha: Double, targets: [String], base: String, baseDigest: String? = nil, to directory: String
    ) throws {
        let metadata = [(name: "format", value: "pt")] + (baseDigest.map { [(name: baseDigestName, value: $0)] } ?? [])
        // New weights beside an old scale would be another adapter: without a configuration there is none.
        unlink("\(directory)/\(configurationName)")
        let writer = try SafetensorsWriter(path: "\(directory)/\(weightsName)", layout: layout.layout, metadata: metadata)
        try writer.append(values)
        try writer.finish()
        let whole = alpha == alpha.rounded() && abs(alpha) < 1e9
        let text = """
            {
              "peft_type": "LORA",
              "task_type": null,
              "base_model_name_or_path": \(base.jsonQuoted),
              "r": \(layout.rank),
              "lora_alpha": \(whole ? "\(Int(alpha))" : "\(alpha)"),
              "target_modules": [\(targets.map(\.jsonQuoted).joined(separator: ", "))],
              "lora_dropout": 0.0,
              "bias": "none",
              "fan_in_fan_out": false,
              "use_rslora": false,
              "modules_to_save": null,
              "rank_pattern": {},
              "alpha_pattern": {},
              "inference_mode": true
            }

            """
        try FileText.write(text, to: "\(directory)/\(configurationName)")
    }

    // MARK: Reading

    /// Reads a directory; honours `r`, `lora_alpha`, `rank_pattern`, `alpha_pattern`, `use_rslora`, `fan_in_fan_out`,
    /// `modules_to_save` and `bias`, and refuses what it does not know.
    public init(reading directory: String) throws {
        let path = "\(directory)/\(Self.configurationName)"
        let configuration = try PEFTConfiguration(FileText.read(path, atMost: Self.maximumConfigurationBytes), path: path)
        let file = try SafetensorsFile(path: "\(directory)/\(Self.weightsName)")
        var factors: [String: (a: TensorDescription?, b: TensorDescription?)] = [:]
        var replacements: [String: [Float]] = [:]
        for tensor in file.layout.tensors {
            guard tensor.type == .f32, tensor.name.hasPrefix(AdapterLayout.prefix) else {
                throw PEFTError("\(directory): \(tensor.name) is not an F32 tensor of a PEFT adapter")
            }
            let name = String(tensor.name.dropFirst(AdapterLayout.prefix.count))
            if name.hasSuffix(".lora_A.weight") {
                factors[String(name.dropLast(".lora_A.weight".count)), default: (nil, nil)].a = tensor
            } else if name.hasSuffix(".lora_B.weight") {
                factors[String(name.dropLast(".lora_B.weight".count)), default: (nil, nil)].b = tensor
            } else if name.contains(".lora_") {
                throw PEFTError("\(directory): \(tensor.name) is a kind of adapter that is not known here")
            } else {
                // A wrapped module's own bias.
                replacements[name.replacing(".base_layer.", with: ".", maxReplacements: 1)] = try file.values(of: tensor)
            }
        }
        modules = try factors.sorted { $0.key < $1.key }.map { name, pair in
            guard let a = pair.a, let b = pair.b, a.shape.count == 2, b.shape.count == 2, a.shape[0] == b.shape[1] else {
                throw PEFTError("\(directory): the factors of \(name) are missing or do not fit one another")
            }
            let rank = configuration.rank(of: name)
            guard a.shape[0] == rank else { throw PEFTError("\(directory): the factors of \(name) have rank \(a.shape[0]), the configuration says \(rank)") }
            return Module(
                name: name, rank: rank, outputs: b.shape[0], inputs: a.shape[1], scale: configuration.scale(of: name), a: try file.values(of: a),
                b: try file.values(of: b))
        }
        self.replacements = replacements
        isTransposed = configuration.isTransposed
        baseDigest = file.header[metadata: Self.baseDigestName]
        guard !modules.isEmpty || !replacements.isEmpty else { throw PEFTError("\(directory) holds no adapter") }
    }

    // MARK: Merging

    /// Writes the base with the adapter folded into it.
    public func merge(into base: SafetensorsFile, to path: String) throws {
        guard base.layout.isAllFloat32 else { throw PEFTError("the base model has tensors that are not F32") }
        let byWeight = Dictionary(uniqueKeysWithValues: modules.map { ("\($0.name).weight", $0) })
        let names = Set(base.layout.tensors.map(\.name))
        if let unknown = (Array(byWeight.keys) + replacements.keys).sorted().first(where: { !names.contains($0) }) {
            throw PEFTError("the base model has no \(unknown)", hint: "is it the base that the adapter was trained on?")
        }
        let writer = try SafetensorsWriter(path: path, layout: base.layout, metadata: base.header.metadata)
        for tensor in base.layout.tensors {
            var values = try replacements[tensor.name] ?? base.values(of: tensor)
            guard values.count == tensor.elementCount else { throw PEFTError("\(tensor.name) has another size in the base model") }
            if let module = byWeight[tensor.name] { try add(module, to: &values, shape: tensor.shape) }
            try writer.append(values)
        }
        try writer.finish()
    }

    private func add(_ module: Module, to weights: inout [Float], shape: [Int]) throws {
        guard shape == (isTransposed ? [module.inputs, module.outputs] : [module.outputs, module.inputs]) else {
            throw PEFTError("\(module.name) has the shape \(shape) in the base model, the adapter is for [\(module.outputs), \(module.inputs)]")
        }
        var row = [Double](repeating: 0, count: module.inputs)
        for output in 0..<module.outputs {
            for input in row.indices { row[input] = 0 }
            for k in 0..<module.rank {
                let factor = Double(module.b[output * module.rank + k]), start = k * module.inputs
                for input in row.indices { row[input] += factor * Double(module.a[start + input]) }
            }
            for input in row.indices {
                let index = isTransposed ? input * module.outputs + output : output * module.inputs + input
                weights[index] = Float(Double(weights[index]) + module.scale * row[input])
            }
        }
    }
}

/// An adapter's directory that cannot be used.
public struct PEFTError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
    public var description: String { message }
}

/// What `adapter_config.json` says.
private struct PEFTConfiguration {
    let rank: Int
    let alpha: Double
    let ranks: [(pattern: String, rank: Int)]
    let alphas: [(pattern: String, alpha: Double)]
    let isRankStabilised: Bool
    let isTransposed: Bool

    private static let maximumRank = 65_536

    init(_ bytes: [UInt8], path: String) throws {
        let json: JSONValue
        do { json = try JSONParser.parse(bytes) } catch { throw PEFTError("\(path) is not JSON: \(error)") }
        guard json["peft_type"]?.string == "LORA" else { throw PEFTError("\(path): peft_type is not LORA") }
        guard json["use_dora"] != .boolean(true) else { throw PEFTError("\(path): use_dora is not known here") }
        guard json["layer_replication"] ?? .null == .null else { throw PEFTError("\(path): layer_replication is not known here") }
        if let start = json["init_lora_weights"]?.string, !["gaussian", "orthogonal"].contains(start) {
            throw PEFTError(
                "\(path): init_lora_weights is \(start), which changes the base model's weights", hint: "convert the adapter to plain LoRA with PEFT")
        }
        guard let rank = json["r"]?.integer, (1...Self.maximumRank).contains(rank), let alpha = json["lora_alpha"]?.double, alpha.isFinite else {
            throw PEFTError("\(path): r or lora_alpha is missing or no sound number")
        }
        self.rank = rank
        self.alpha = alpha
        ranks = try Self.patterns(json["rank_pattern"], path).map { name, value in
            guard let rank = value.integer, (1...Self.maximumRank).contains(rank) else {
                throw PEFTError("\(path): rank_pattern has no sound rank for \(name)")
            }
            return (name, rank)
        }
        alphas = try Self.patterns(json["alpha_pattern"], path).map { name, value in
            guard let alpha = value.double, alpha.isFinite else { throw PEFTError("\(path): alpha_pattern has no sound number for \(name)") }
            return (name, alpha)
        }
        isRankStabilised = json["use_rslora"] == .boolean(true)
        isTransposed = json["fan_in_fan_out"] == .boolean(true)
    }

    /// PEFT takes regular expressions; names alone are taken here.
    private static func patterns(_ json: JSONValue?, _ path: String) throws -> [(name: String, value: JSONValue)] {
        let members = json?.object ?? []
        for member in members where member.name.contains(where: { #"\[](){}*+?^$|"#.contains($0) }) {
            throw PEFTError("\(path): the pattern \(member.name) is a regular expression", hint: "name the modules instead")
        }
        return members
    }

    private func matches(_ pattern: String, _ module: String) -> Bool { module == pattern || module.hasSuffix(".\(pattern)") }
    func rank(of module: String) -> Int { ranks.first { matches($0.pattern, module) }?.rank ?? rank }

    func scale(of module: String) -> Double {
        let alpha = alphas.first { matches($0.pattern, module) }?.alpha ?? alpha, rank = Double(rank(of: module))
        return isRankStabilised ? alpha / rank.squareRoot() : alpha / rank
    }
}
