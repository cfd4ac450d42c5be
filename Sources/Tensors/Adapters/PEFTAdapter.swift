import Glibc

/// A LoRA adapter in PEFT's format: a directory with `adapter_config.json` and `adapter_model.safetensors`.
public struct PEFTAdapter: Sendable {
    /// The adapter of one module: W + scale·B·A.
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

    private struct Replacement {
        let shape: [Int]
        let values: [Float]
    }

    /// Sorted by name.
    public let modules: [Module]
    /// Tensors that replace those of the base model, because of `modules_to_save` or trained biases.
    private let replacements: [String: Replacement]
    private let configuration: PEFTConfiguration
    /// The SHA-256 of the base model's file, if the adapter states it.
    public let baseDigest: String?
    private static let baseDigestName = "base_sha256"

    public static let configurationName = "adapter_config.json"
    public static let weightsName = "adapter_model.safetensors"
    /// All files of an adapter. The configuration is last, because a directory without it is not an adapter.
    public static let fileNames = [weightsName, configurationName]

    // MARK: Writing

    /// Writes a directory that `peft.PeftModel.from_pretrained` can load. The directory must exist.
    ///
    /// - Parameters:
    ///   - values: The values in the order of the layout.
    ///   - layout: The adapter's layout.
    ///   - alpha: The numerator of the scale, alpha / rank.
    ///   - targets: The value of `target_modules`.
    ///   - base: The name of the base model.
    ///   - baseDigest: The SHA-256 of the base model's file in hexadecimal.
    ///   - directory: The directory's path.
    /// - Throws: `SafetensorsWriteError` if a file cannot be written.
    public static func write(
        _ values: [Float],
        of layout: AdapterLayout,
        alpha: Double,
        targets: [String],
        base: String,
        baseDigest: String? = nil,
        to directory: String
    ) throws {
        let metadata = [(name: "format", value: "pt")] + (baseDigest.map { [(name: baseDigestName, value: $0)] } ?? [])
        // Remove the old configuration first: with an old scale, the new weights would be a different adapter.
        unlink("\(directory)/\(configurationName)")
        let writer = try SafetensorsWriter(
            path: "\(directory)/\(weightsName)",
            layout: layout.layout,
            metadata: metadata
        )
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

    /// Reads a directory. Supports `r`, `lora_alpha`, `rank_pattern`, `alpha_pattern`, `use_rslora`, `fan_in_fan_out`,
    /// `target_modules`, `exclude_modules`, `modules_to_save` and `bias`, and rejects every other option that would
    /// change the weights.
    ///
    /// - Parameter directory: The directory's path.
    /// - Throws: `PEFTError`, `InputFileError` or `SafetensorsError` if the adapter is not valid or not supported,
    ///   `NotFiniteError` if a value is not finite.
    public init(reading directory: String) throws {
        let path = "\(directory)/\(Self.configurationName)"
        let configuration = try PEFTConfiguration(
            RegularFile.read(path, called: "the adapter's \(path)", atMost: PEFTConfiguration.maximumBytes),
            path: path
        )
        let weights = "\(directory)/\(Self.weightsName)"
        let file = try SafetensorsFile(path: weights, called: "the adapter's \(weights)")
        try file.checkFinite()
        var factors: [String: (a: TensorDescription?, b: TensorDescription?)] = [:]
        var replacements: [String: Replacement] = [:]
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
                throw PEFTError("\(directory): \(tensor.name) belongs to an unsupported kind of adapter")
            } else {
                replacements[name] = Replacement(shape: tensor.shape, values: try file.values(of: tensor))
            }
        }
        modules = try factors.sorted { $0.key < $1.key }.map {
            try Self.module($0.key, $0.value, of: file, configuration, directory)
        }
        self.configuration = configuration
        let adapted = Set(modules.map(\.name))
        self.replacements = try Self.unwrapped(replacements, adapted: adapted, directory)
        baseDigest = file.header[metadata: Self.baseDigestName]
        guard !modules.isEmpty || !replacements.isEmpty else { throw PEFTError("\(directory) contains no adapter") }
        for name in self.replacements.keys.sorted() { try Self.check(name, configuration, adapted: adapted, directory) }
    }

    /// Maps the replaced tensors to the base model's names. PEFT wraps a module that has factors and moves the original
    /// to `base_layer`; under its old name, PEFT would not find a tensor.
    private static func unwrapped(
        _ replacements: [String: Replacement],
        adapted: Set<String>,
        _ directory: String
    ) throws -> [String: Replacement] {
        var result: [String: Replacement] = [:]
        for (name, replacement) in replacements {
            let module = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? ""
            if adapted.contains(module) {
                throw PEFTError(
                    "\(directory): it contains both \(name) and factors for \(module)",
                    hint:
                        "PEFT would ignore it: it looks for \(module).base_layer.\(name.dropFirst(module.count + 1))"
                )
            }
            let isWrapped = module.hasSuffix(wrapped) && adapted.contains(String(module.dropLast(wrapped.count)))
            result[isWrapped ? String(module.dropLast(wrapped.count)) + name.dropFirst(module.count) : name] =
                replacement
        }
        return result
    }

    private static let wrapped = ".base_layer"

    private static func module(
        _ name: String,
        _ pair: (a: TensorDescription?, b: TensorDescription?),
        of file: SafetensorsFile,
        _ configuration: PEFTConfiguration,
        _ directory: String
    ) throws -> Module {
        guard let a = pair.a, let b = pair.b, a.shape.count == 2, b.shape.count == 2, a.shape[0] == b.shape[1] else {
            throw PEFTError("\(directory): the factors of \(name) are missing or do not match each other")
        }
        if let reason = configuration.reasonAgainstFactors(of: name) {
            throw PEFTError(
                "\(directory): the adapter has factors for \(name), but \(reason)",
                hint: "PEFT would ignore them: correct the option, or the weights"
            )
        }
        let rank = configuration.rank(of: name)
        guard a.shape[0] == rank else {
            throw PEFTError(
                "\(directory): the factors of \(name) have rank \(a.shape[0]), but the configuration says \(rank)"
            )
        }
        return Module(
            name: name,
            rank: rank,
            outputs: b.shape[0],
            inputs: a.shape[1],
            scale: configuration.scale(of: name),
            a: try file.values(of: a),
            b: try file.values(of: b)
        )
    }

    /// PEFT loads a tensor other than a factor only if `modules_to_save` or `bias` covers it, and ignores any other.
    private static func check(
        _ name: String,
        _ configuration: PEFTConfiguration,
        adapted: Set<String>,
        _ directory: String
    ) throws {
        if configuration.isSaved(name) { return }
        let isBias = name.hasSuffix(".bias")
        switch configuration.bias {
        case .all where isBias: return
        case .loraOnly where isBias && adapted.contains(String(name.dropLast(".bias".count))): return
        default:
            throw PEFTError(
                """
                \(directory): the adapter contains \(name), which neither modules_to_save nor bias \
                (\(configuration.bias.rawValue)) covers
                """,
                hint: "PEFT would ignore it: correct the option, or the weights"
            )
        }
    }

    // MARK: Merging

    /// Writes the base model with the adapter folded into it.
    ///
    /// - Parameters:
    ///   - base: The base model, whose tensors are float32.
    ///   - path: The path of the file to write, which must not be one of the base model's; another file there is
    ///     replaced.
    /// - Throws: `PEFTError` if the adapter does not fit the base model, `NotFiniteError` if a value or a result is not
    ///   finite, `SafetensorsError` or `InputFileError` if the base model cannot be read, `SafetensorsWriteError` if
    ///   the file cannot be written.
    public func merge(into base: SafetensorsFile, to path: String) throws {
        try check(base)
        let byWeight = Dictionary(uniqueKeysWithValues: modules.map { ("\($0.name).weight", $0) })
        let writer = try SafetensorsWriter(path: path, layout: base.layout, metadata: base.header.metadata)
        for tensor in base.layout.tensors {
            var values = try replacements[tensor.name]?.values ?? base.values(of: tensor)
            try tensor.checkFinite(values, called: base.name)
            if let module = byWeight[tensor.name] {
                add(module, to: &values)
                try tensor.checkFinite(values, called: "the merged model")
            }
            try writer.append(values)
        }
        try writer.finish()
    }

    /// Throws if the adapter does not belong to this base model.
    private func check(_ base: SafetensorsFile) throws {
        let name = base.name.isEmpty ? "the base model" : base.name
        if let odd = base.layout.tensors.first(where: { $0.type != .f32 }) {
            throw PEFTError("\(name) has \(odd.name) in \(odd.type.rawValue); expected F32")
        }
        let tensors = Dictionary(uniqueKeysWithValues: base.layout.tensors.map { ($0.name, $0) })
        let hint = "is it the base that the adapter was trained on?"
        for module in modules {
            guard let weight = tensors["\(module.name).weight"] else {
                throw PEFTError("\(name) has no \(module.name).weight", hint: hint)
            }
            guard
                weight.shape
                    == (configuration.isTransposed
                        ? [module.inputs, module.outputs] : [module.outputs, module.inputs])
            else {
                throw PEFTError(
                    "\(module.name).weight has the shape \(weight.shape) in \(name), but the adapter is for "
                        + "\(module.outputs) outputs and \(module.inputs) inputs"
                        + (configuration.isTransposed ? ", with fan_in_fan_out" : ""),
                    hint: hint
                )
            }
        }
        // PEFT ignores the option if a module keeps its weight as [out, in]; a square weight does not show which it is.
        guard !configuration.isTransposed || modules.isEmpty || modules.contains(where: { $0.inputs != $0.outputs })
        else {
            throw PEFTError(
                """
                fan_in_fan_out is true, but all weights that have factors are square: whether \(name) keeps them as \
                [in, out] cannot be determined
                """,
                hint: "set fan_in_fan_out to false if they belong to torch.nn.Linear modules; otherwise merge with PEFT"
            )
        }
        for (replaced, replacement) in replacements.sorted(by: { $0.key < $1.key }) {
            guard let tensor = tensors[replaced] else { throw PEFTError("\(name) has no \(replaced)", hint: hint) }
            guard tensor.shape == replacement.shape else {
                throw PEFTError(
                    "\(replaced) has the shape \(tensor.shape) in \(name), but \(replacement.shape) in the adapter",
                    hint: hint
                )
            }
        }
        try checkNothingIsMissing(base, name)
    }

    /// Throws if tensors are missing from the adapter, because an incomplete adapter would change the model only in
    /// part.
    private func checkNothingIsMissing(_ base: SafetensorsFile, _ name: String) throws {
        let adapted = Set(modules.map(\.name)),
            hint = "was the adapter copied as a whole, and is it the base that it was trained on?"
        for tensor in base.layout.tensors where replacements[tensor.name] == nil {
            if configuration.isSaved(tensor.name) {
                throw PEFTError(
                    "modules_to_save covers \(tensor.name) of \(name), but the adapter does not contain it",
                    hint: hint
                )
            }
            if tensor.name.hasSuffix(".bias"),
                configuration.needsBias(of: String(tensor.name.dropLast(".bias".count)), adapted: adapted)
            {
                throw PEFTError(
                    "bias is \"\(configuration.bias.rawValue)\", but the adapter lacks \(tensor.name) of \(name)",
                    hint: hint
                )
            }
            guard tensor.shape.count == 2, tensor.elementCount > 0, tensor.name.hasSuffix(".weight") else { continue }
            let module = String(tensor.name.dropLast(".weight".count))
            if !adapted.contains(module), configuration.needsFactors(module, adapted: adapted) {
                let reason =
                    configuration.targets == nil
                    ? "modules with the same last name have factors" : "target_modules names \(module) of \(name)"
                throw PEFTError("\(reason), but the adapter has no factors for \(module)", hint: hint)
            }
        }
    }

    private func add(_ module: Module, to weights: inout [Float]) {
        var row = [Double](repeating: 0, count: module.inputs)
        for output in 0..<module.outputs {
            for input in row.indices { row[input] = 0 }
            for k in 0..<module.rank {
                let factor = Double(module.b[output * module.rank + k]), start = k * module.inputs
                for input in row.indices { row[input] += factor * Double(module.a[start + input]) }
            }
            for input in row.indices {
                let index =
                    configuration.isTransposed ? input * module.outputs + output : output * module.inputs + input
                weights[index] = Float(Double(weights[index]) + module.scale * row[input])
            }
        }
    }
}

/// An adapter directory that cannot be used.
public struct PEFTError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    /// Creates an error.
    ///
    /// - Parameters:
    ///   - message: What is wrong, as a sentence for the user.
    ///   - hint: What the user can do; empty if there is no advice.
    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
    public var description: String { message }
}
