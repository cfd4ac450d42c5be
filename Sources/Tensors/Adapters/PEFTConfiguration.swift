import Glibc

/// The contents of a LoRA adapter's `adapter_config.json`, with the names of PEFT's `LoraConfig` (0.21).
///
/// Options that determine the merged weights are supported; those that only affect the training or describe the file
/// are ignored. Every other option must have its neutral value, because an adapter trained with it would have to be
/// merged in another way.
struct PEFTConfiguration {
    let isRankStabilised: Bool
    let isTransposed: Bool
    let bias: Bias
    private let modulesToSave: Set<String>
    /// `nil` if the configuration leaves the choice to PEFT.
    let targets: Targets?
    private let rank: Int
    private let alpha: Double
    private let ranks: [(pattern: String, rank: Int)]
    private let alphas: [(pattern: String, alpha: Double)]
    private let excluded: Set<String>

    /// Which biases are trained.
    enum Bias: String, CaseIterable { case none, all, loraOnly = "lora_only" }

    /// Which modules have factors.
    enum Targets: Equatable {
        /// The only module of that name.
        case exactly(String)
        /// Whole names or their last parts.
        case named(Set<String>)
    }

    static let maximumBytes = 1 << 20
    private static let maximumRank = 65_536

    private static let honoured: Set<String> = [
        "peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "fan_in_fan_out",
        "modules_to_save", "bias", "target_modules",
        "exclude_modules", "init_lora_weights",
    ]
    /// Options that describe the file or affected only the finished training. The last two matter only together with
    /// options that are rejected.
    private static let harmless: Set<String> = [
        "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode",
        "lora_dropout", "runtime_config",
        "merge_weights", "eva_config", "megatron_core", "qalora_group_size",
    ]
    /// Initialisations that do not change the base model's weights.
    private static let soundStarts = ["gaussian", "orthogonal", "eva", "mica"]

    init(_ bytes: [UInt8], path: String) throws {
        let json: JSONValue
        do { json = try JSONParser.parse(bytes) } catch {
            if let foreign = ForeignFormat(bytes), foreign != .json { throw foreign.error(path) }
            throw PEFTError("\(path) is not JSON: \(error)")
        }
        let reader = PEFTOptionReader(json, path: path)
        guard json["peft_type"] == .string("LORA") else {
            throw reader.wrong("peft_type", "LORA", hint: "only LoRA adapters can be merged; merge this one with PEFT")
        }
        try Self.refuseTheRest(reader)
        rank = try reader.rank("r", json["r"], atMost: Self.maximumRank)
        alpha = try reader.finite("lora_alpha", json["lora_alpha"])
        ranks = try reader.patterns("rank_pattern").map {
            ($0.name, try reader.rank("rank_pattern.\($0.name)", $0.value, atMost: Self.maximumRank))
        }
        alphas = try reader.patterns("alpha_pattern").map {
            ($0.name, try reader.finite("alpha_pattern.\($0.name)", $0.value))
        }
        isRankStabilised = try reader.flag("use_rslora")
        isTransposed = try reader.flag("fan_in_fan_out")
        guard let bias = Bias(rawValue: json["bias"].map { $0.string ?? "" } ?? "none") else {
            throw reader.wrong("bias", Bias.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
        }
        self.bias = bias
        modulesToSave = try Set(reader.names("modules_to_save"))
        excluded = try Set(reader.names("exclude_modules"))
        targets = try Self.targets(reader)
    }

    private static func refuseTheRest(_ reader: PEFTOptionReader) throws {
        for (name, value) in reader.json.object ?? []
        where !honoured.contains(name) && !harmless.contains(name) && !isNeutral(value, of: name) {
            throw reader.refused(name, value)
        }
        switch reader.json["init_lora_weights"] ?? .null {
        case .null, .boolean: break
        case .string(let start) where soundStarts.contains(start): break
        case let value:
            throw PEFTError(
                "\(reader.path): init_lora_weights is \(value.excerpt), which may have changed the base model's weights",
                hint:
                    """
                    convert the adapter to plain LoRA with PEFT: save_pretrained(…, \
                    path_initial_model_for_weight_conversion=…)
                    """
            )
        }
    }

    /// Whether the option has a value with which PEFT ignores it. PEFT treats an empty object as the settings of a
    /// variant, and checks a list only for being non-empty.
    private static func isNeutral(_ value: JSONValue, of name: String) -> Bool {
        switch value {
        case .null: true
        case .boolean(false): name.hasPrefix("use_") || flags.contains(name)
        case .object(let members): members.isEmpty && name == "loftq_config"
        case .array(let values): values.isEmpty && lists.contains(name)
        default: false
        }
    }

    private static let flags = ["lora_bias", "ensure_weight_tying"]
    private static let lists = ["layers_to_transform", "layers_pattern", "layer_replication", "target_parameters"]

    private static func targets(_ reader: PEFTOptionReader) throws -> Targets? {
        guard let value = reader.json["target_modules"], value != .null else { return nil }
        guard let text = value.string else { return .named(try Set(reader.names("target_modules"))) }
        // PEFT writes the modules' names when it saves; the file does not show which linear layers "all-linear" meant.
        guard text != "all-linear" else {
            throw PEFTError(
                """
                \(reader.path): target_modules is \"all-linear\", which does not say for which modules the adapter \
                must have factors
                """,
                hint: "list them, as PEFT does when it saves an adapter: \"target_modules\": [\"qkv\", \"fc1\"]"
            )
        }
        try reader.requireName("target_modules", text)
        return .exactly(text)
    }

    // MARK: Modules

    func rank(of module: String) -> Int { ranks.first { Self.matches($0.pattern, module) }?.rank ?? rank }

    func scale(of module: String) -> Double {
        let alpha = alphas.first { Self.matches($0.pattern, module) }?.alpha ?? alpha, rank = Double(rank(of: module))
        return isRankStabilised ? alpha / rank.squareRoot() : alpha / rank
    }

    /// Matches like PEFT's `(.*\.)?(pattern)$`, in which a dot matches any character.
    private static func matches(_ pattern: String, _ module: String) -> Bool {
        let (pattern, module) = (Array(pattern.unicodeScalars), Array(module.unicodeScalars))
        guard
            module.count == pattern.count
                || module.count > pattern.count && module[module.count - pattern.count - 1] == "."
        else { return false }
        return zip(pattern, module.suffix(pattern.count)).allSatisfy { $0 == "." || $0 == $1 }
    }

    /// Whether one of the names is the module's whole name, or its last part after a dot.
    private static func isNamed(_ module: String, by names: Set<String>) -> Bool {
        var end = Substring(module)
        while true {
            if names.contains(String(end)) { return true }
            guard let point = end.firstIndex(of: ".") else { return false }
            end = end[end.index(after: point)...]
        }
    }

    /// Returns why PEFT would not load factors for this module; `nil` if it would.
    func reasonAgainstFactors(of module: String) -> String? {
        if Self.isNamed(module, by: excluded) { return "exclude_modules covers it" }
        if isInsideSaved(module) { return "modules_to_save covers it" }
        return switch targets {
        case nil: nil
        case .exactly(let name): module == name ? nil : "target_modules does not name it"
        case .named(let names): Self.isNamed(module, by: names) ? nil : "target_modules does not name it"
        }
    }

    /// Whether some part of the module's name, between dots, is in `modules_to_save`.
    private func isInsideSaved(_ module: String) -> Bool {
        guard !modulesToSave.isEmpty else { return false }
        let parts = module.split(separator: ".", omittingEmptySubsequences: false)
        return parts.indices.contains { first in
            parts.indices[first...].contains { last in
                modulesToSave.contains(parts[first...last].joined(separator: "."))
            }
        }
    }

    /// Whether the adapter must have factors for this module of the base model. If the configuration does not name the
    /// modules, this is the case for all whose last name is that of a module in `adapted`, which have factors.
    func needsFactors(_ module: String, adapted: Set<String>) -> Bool {
        guard reasonAgainstFactors(of: module) == nil else { return false }
        return targets != nil || adapted.contains { Self.lastName($0) == Self.lastName(module) }
    }

    private static func lastName(_ module: String) -> Substring { module.split(separator: ".").last ?? "" }

    /// Whether the adapter must contain this module's bias, because it was trained.
    func needsBias(of module: String, adapted: Set<String>) -> Bool {
        switch bias {
        case .none: false
        case .all: true
        case .loraOnly: adapted.contains(module)
        }
    }

    /// Whether `modules_to_save` covers a module that contains this tensor; PEFT compares the last part of a module's
    /// name.
    func isSaved(_ tensor: String) -> Bool {
        guard !modulesToSave.isEmpty else { return false }
        var module = Substring(tensor)
        while let point = module.lastIndex(of: ".") {
            module = module[..<point]
            if module.indices.contains(where: { modulesToSave.contains(String(module[$0...])) }) { return true }
        }
        return false
    }
}
