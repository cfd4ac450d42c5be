/// A subset of a LoRA adapter's two factors.
public struct AdapterFactors: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    /// Creates a set from its bits.
    ///
    /// - Parameter rawValue: The sum of 1 for the factor A and 2 for the factor B.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let a = AdapterFactors(rawValue: 1)
    public static let b = AdapterFactors(rawValue: 2)
    public static let both: AdapterFactors = [.a, .b]
}

/// The tensors of a LoRA adapter for a base model, named as in PEFT (Hu 2022, arXiv:2106.09685).
///
/// A module's weight W [out, in] gets A [rank, in] and B [out, rank]: W + scale·B·A.
public struct AdapterLayout: Equatable, Sendable {
    /// A linear module of the base model that has an adapter.
    public struct Module: Equatable, Sendable {
        /// The name in the base model, without `.weight`.
        public let name: String
        public let outputs: Int
        public let inputs: Int
        /// The range of the weight in the base model, in elements.
        public let weight: Range<Int>
        /// The ranges of the factors in ``layout``, in elements; empty for a missing factor.
        public let a: Range<Int>
        public let b: Range<Int>
    }

    public static let prefix = "base_model.model."
    /// Returns the name of the tensor with a module's factor A, as PEFT writes it.
    ///
    /// - Parameter module: The module's name in the base model, without `.weight`.
    public static func nameOfA(_ module: String) -> String { "\(prefix)\(module).lora_A.weight" }
    /// Returns the name of the tensor with a module's factor B, as PEFT writes it.
    ///
    /// - Parameter module: The module's name in the base model, without `.weight`.
    public static func nameOfB(_ module: String) -> String { "\(prefix)\(module).lora_B.weight" }

    public let rank: Int
    public let layout: TensorLayout
    /// The modules in the order of the base model's tensors.
    public let modules: [Module]

    /// Creates the layout of an adapter; targets that match no module of the base model are ignored.
    ///
    /// - Parameters:
    ///   - base: The layout of the base model.
    ///   - rank: The number of components, at least 1.
    ///   - targets: Whole module names or their last components, like PEFT's `target_modules`.
    ///   - factors: The factors that the layout has.
    public init(base: TensorLayout, rank: Int, targets: [String], factors: AdapterFactors = .both) {
        precondition(rank > 0)
        let modules = Self.modules(of: base, targets: targets)
        var tensors: [(name: String, type: ElementType, shape: [Int])] = []
        for module in modules {
            if factors.contains(.a) { tensors.append((Self.nameOfA(module.name), .f32, [rank, module.inputs])) }
            if factors.contains(.b) { tensors.append((Self.nameOfB(module.name), .f32, [module.outputs, rank])) }
        }
        let layout = TensorLayout(tensors)
        let ranges = layout.elementRanges
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

    /// Returns the ranges of these factors in ``layout``, in elements.
    ///
    /// - Parameter factors: One of the factors, or both.
    public func ranges(of factors: AdapterFactors) -> [Range<Int>] {
        factors == .both ? [0..<layout.elementCount] : modules.map { factors.contains(.a) ? $0.a : $0.b }
    }

    /// Returns the linear modules of `base` that match the targets.
    private static func modules(of base: TensorLayout, targets: [String]) -> [(
        name: String, outputs: Int, inputs: Int, weight: Range<Int>
    )] {
        let ranges = base.elementRanges
        return base.tensors.compactMap { tensor in
            guard tensor.shape.count == 2, tensor.elementCount > 0, tensor.name.hasSuffix(".weight") else { return nil }
            let name = String(tensor.name.dropLast(".weight".count))
            guard targets.contains(where: { name == $0 || name.hasSuffix(".\($0)") }) else { return nil }
            return (name, tensor.shape[0], tensor.shape[1], ranges[tensor.name]!)
        }
    }

    /// Returns the targets that match no module of the base model.
    ///
    /// - Parameters:
    ///   - targets: Whole module names or their last components, like PEFT's `target_modules`.
    ///   - base: The layout of the base model.
    public static func unknownTargets(_ targets: [String], in base: TensorLayout) -> [String] {
        targets.filter { modules(of: base, targets: [$0]).isEmpty }
    }

    /// Returns an adapter's initial values: A uniform in ±1/√in, as in PEFT, and B zero. They are the same on every
    /// machine.
    ///
    /// - Parameter seed: The seed of the values of A.
    public func initialValues(seed: UInt64) -> [Float] { initialValues(0..<layout.elementCount, seed: seed) }

    /// Returns a range of an adapter's initial values.
    ///
    /// - Parameters:
    ///   - range: The range in ``layout``, in elements.
    ///   - seed: The seed.
    package func initialValues(_ range: Range<Int>, seed: UInt64) -> [Float] {
        var values = [Float](repeating: 0, count: range.count)
        // Each value of each A takes one number of the generator, module by module.
        var generator = SplitMix64(seed: seed)
        for module in modules {
            defer { generator = generator.skipping(module.a.count) }
            let wanted = module.a.clamped(to: range)
            guard !wanted.isEmpty else { continue }
            var own = generator.skipping(wanted.lowerBound - module.a.lowerBound)
            let bound = 1 / Float(module.inputs).squareRoot()
            for index in wanted {
                values[index - range.lowerBound] = (Float(own.next() >> 40) * 0x1p-23 - 1) * bound
            }
        }
        return values
    }
}
