import Settings

extension Compression {
    public enum Kind: String, Sendable, CaseIterable {
        case none, bfloat16, int8
        case topK = "topk"
    }

    public var kind: Kind {
        get {
            switch self {
            case .none: .none
            case .bfloat16: .bfloat16
            case .int8: .int8
            case .topK: .topK
            }
        }
        set {
            switch newValue {
            case .none: self = .none
            case .bfloat16: self = .bfloat16
            case .int8: self = .int8(block: Self.standardBlock)
            case .topK: self = .topK(fraction: Self.exampleFraction)
            }
        }
    }

    private static let standardBlock = 256
    private static let exampleFraction = 0.05

    var block: Int? {
        get { if case .int8(let block) = self { block } else { nil } }
        set { if let newValue { self = .int8(block: newValue) } }
    }

    var fraction: Double? {
        get { if case .topK(let fraction) = self { fraction } else { nil } }
        set { if let newValue { self = .topK(fraction: newValue) } }
    }

    /// `[compression]` of a plan.
    static let section = SettingSection<Compression>(
        "compression",
        help: """
            The form in which updates are sent: none (4 bytes a value), bfloat16 (2), int8 with a scale for each block \
            of values (1), or topk: only the largest values, a fraction of all, 8 bytes each; the site keeps the rest \
            for its next update.
            """,
        isOptional: true
    ) {
        Setting("kind", \.kind, .choice, help: "")
        Setting(
            "block",
            \.block,
            ifAny: .integer(PlanLimits.compressionBlock),
            default: standardBlock,
            help: "int8: values that share a scale."
        )
        Setting(
            "fraction",
            \.fraction,
            // A kept value takes 8 bytes: more of them would take more than float32.
            ifAny: .number(.above(0, to: PlanLimits.topFraction)),
            help: "topk: which part of the values is sent."
        )
    }

    public var problems: [SettingProblem] { Self.section.problems(of: self) }
}
