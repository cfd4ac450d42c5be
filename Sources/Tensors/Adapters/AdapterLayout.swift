/// Which of a LoRA adapter's two factors are meant.
public struct AdapterFactors: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let a = AdapterFactors(rawValue: 1)
    public static let b = AdapterFactors(rawValue: 2)
    public static let both: AdapterFactors = [.a, .b]
}

/// The tensors of a LoRA adapter beside a base model, named as PEFT names them (Hu 2022, arXiv:2106.09685).
///
/// A module's weight W [out, in] gets A [rank, in] and B [out, rank]: W + scale·B·A.
public struct AdapterLayout: Equatable, Sendable {
    /// A linear module of the base that has an adapter.
    public struct Module: Equatable, Sendable {
        /// As in the base, without `.weight`.
        public let name: String
        public let outputs: Int
        public let inputs: Int
        /// Where the weight stands in the base, in elements.
        public let weight: Range<Int>
        /// Where the factors stand in ``layout``, in elements; empty for a factor that is not there.
        public let a: Range<Int>
        public let b: Range<Int>
    }

    public static let prefix = "base_model.model."
    public static func nameOfA(_ module: String) -> String { "\(prefix)\(module).lora_A.weight" }
    public static func nameOfB(_ module: String) -> String { "\(prefix)\(module).lora_B.weight" }

    public let rank: Int
    public let layout: TensorLayout
    /// In the order of the base's tensors.
    public let modules: [Module]

    /// `targets`: last components of modules' names, or whole names, as PEFT's `target_modules`.
    public init(base: TensorLayout, rank: Int, targets: [String], factors: AdapterFactors = .both) {
        precondition(rank > 0)
        let modules = Self.modules(of: base, targets: targets)
        var tensors: [(name: String, type: ElementType, shape: [Int])] = []
        for module in modules {
            if factors.contains(.a) { tensors.append((Self.nameOfA(module.name), .f32, [rank, module.inputs])) }
            if factors.contains(.b) { tensors.append((Self.nameOfB(module.name), .f32, [module.outputs, rank])) }
        }
        let layout = TensorLayout(tensors)
        let ranges = Dictionary(
            uniqueKeysWithValues: layout.tensors.map { ($0.name, $0.range.lowerBound / 4..<$0.range.upperBound / 4) }
        )
        self.rank = rank
        self.layout = layout
        self.modules = modules.map {
            Module(
                name: $0.name,
                outputs: $0.outputs,
                inputs: $0.inputs,
                weight: $0.weight,
                a: ranges[Self.nameOfA($0.name)] ?? 0..<0,
                b: ranges[Self.nameOfB($0.name)] ?? 0..<0
            )
        }
    }

    /// Where these factors stand in ``layout``, in elements.
    public func ranges(of factors: AdapterFactors) -> [Range<Int>] {
        factors == .both ? [0..<layout.elementCount] : modules.map { factors.contains(.a) ? $0.a : $0.b }
    }

    /// The linear modules of `base` that the targets name.
    private static func modules(of base: TensorLayout, targets: [String]) -> [(
        name: String, outputs: Int, inputs: Int, weight: Range<Int>
    )] {
        base.tensors.compactMap { tensor in
            guard tensor.shape.count == 2, tensor.elementCount > 0, tensor.name.hasSuffix(".weight") else { return nil }
            let name = String(tensor.name.dropLast(".weight".count))
            guard targets.contains(where: { name == $0 || name.hasSuffix(".\($0)") }) else { return nil }
            return (name, tensor.shape[0], tensor.shape[1], tensor.range.lowerBound / 4..<tensor.range.upperBound / 4)
        }
    }

    /// Targets that name no module of the base.
    public static func unknownTargets(_ targets: [String], in base: TensorLayout) -> [String] {
        targets.filter { modules(of: base, targets: [$0]).isEmpty }
    }

    /// Where an adapter starts: A uniform in ±1/√in, as PEFT starts it, and B zero. The same numbers on every machine.
    public func initialValues(seed: UInt64) -> [Float] {
        var values = [Float](repeating: 0, count: layout.elementCount)
        var generator = SplitMix64(seed: seed)
        for module in modules {
            let bound = 1 / Float(module.inputs).squareRoot()
            for index in module.a { values[index] = (Float(generator.next() >> 40) * 0x1p-23 - 1) * bound }
        }
        return values
    }
}
