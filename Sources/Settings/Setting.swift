/// One setting of a plan or of a configuration, declared once: reading, the commented template, validation, what an
/// auditor is shown and the documentation's table follow from this.
public struct Setting<Root>: Sendable {
    /// Without its section.
    public let key: String
    /// What it means; the template's comment and the table's text.
    public let help: String
    /// What may be given, as it follows "expected"; empty: anything of its type.
    public let range: String
    /// The same with the type of the value in a file.
    let expectation: String
    /// What holds if nothing is given; `nil`: it must be given.
    public let fallback: TOMLValue?
    /// Written as a comment by the template, if it has its default.
    public let isRare: Bool
    /// The current value; `nil` if the setting does not apply to this root.
    let get: @Sendable (Root) -> TOMLValue?
    /// Throws a message that follows the key.
    let set: @Sendable (inout Root, TOMLValue) throws(SettingMismatch) -> Void
    /// Whether the current value is in range; `true` if the setting does not apply.
    let holds: @Sendable (Root) -> Bool

    /// `nil`: the value is sound.
    func problem(of root: Root) -> String? { holds(root) ? nil : "expected \(range)" }
}

extension Setting {
    /// Declares a setting by functions that read and change the root.
    ///
    /// - Parameters:
    ///   - key: The key in a file, without its section.
    ///   - conversion: The conversion between a value in a file and one of the program, with the values that may be
    ///     given.
    ///   - get: Returns the current value; `nil` if the setting does not apply, for example `momentum` to a strategy
    ///     that has none.
    ///   - set: Changes the value; called only where the setting applies.
    ///   - fallback: What holds if nothing is given; `nil` if it must be given where it applies.
    ///   - isRare: Whether the template writes the setting as a comment if it has its default.
    ///   - help: What the setting means: the template's comment and the text of the documentation's table.
    public init<Value>(
        _ key: String,
        _ conversion: SettingConversion<Value>,
        get: @escaping @Sendable (Root) -> Value?,
        set: @escaping @Sendable (inout Root, Value) -> Void,
        default fallback: Value? = nil,
        isRare: Bool = false,
        help: String
    ) {
        self.init(
            key: key,
            help: help,
            range: conversion.range,
            expectation: conversion.expectation,
            fallback: fallback.map(conversion.toml),
            isRare: isRare,
            get: { get($0).map(conversion.toml) },
            set: { root, value throws(SettingMismatch) in
                guard let parsed = try conversion.parse(value) else {
                    throw SettingMismatch(message: "is \(value.kind); expected \(conversion.expectation)")
                }
                set(&root, parsed)
            },
            holds: { get($0).map(conversion.holds) ?? true }
        )
    }

    /// Declares a setting that always applies.
    ///
    /// - Parameters:
    ///   - key: The key in a file, without its section.
    ///   - path: The value's place in the root.
    ///   - conversion: The conversion between a value in a file and one of the program, with the values that may be
    ///     given.
    ///   - fallback: What holds if nothing is given; `nil` if it must be given.
    ///   - isRare: Whether the template writes the setting as a comment if it has its default.
    ///   - help: What the setting means: the template's comment and the text of the documentation's table.
    public init<Value>(
        _ key: String,
        _ path: any WritableKeyPath<Root, Value> & Sendable,
        _ conversion: SettingConversion<Value>,
        default fallback: Value? = nil,
        isRare: Bool = false,
        help: String
    ) {
        self.init(
            key,
            conversion,
            get: { $0[keyPath: path] },
            set: { $0[keyPath: path] = $1 },
            default: fallback,
            isRare: isRare,
            help: help
        )
    }

    /// Declares a setting that applies only where `path` has a value.
    ///
    /// - Parameters:
    ///   - key: The key in a file, without its section.
    ///   - path: The value's place in the root; `nil` there if the setting does not apply.
    ///   - conversion: The conversion between a value in a file and one of the program, with the values that may be
    ///     given.
    ///   - fallback: What holds if nothing is given; `nil` if it must be given where it applies.
    ///   - help: What the setting means: the template's comment and the text of the documentation's table.
    public init<Value>(
        _ key: String,
        _ path: any WritableKeyPath<Root, Value?> & Sendable,
        ifAny conversion: SettingConversion<Value>,
        default fallback: Value? = nil,
        help: String
    ) {
        self.init(
            key,
            conversion,
            get: { $0[keyPath: path] },
            set: { $0[keyPath: path] = $1 },
            default: fallback,
            help: help
        )
    }

    /// The same setting of a larger root.
    func lifted<Whole>(
        get part: @escaping @Sendable (Whole) -> Root?,
        change:
            @escaping @Sendable (inout Whole, (inout Root) throws(SettingMismatch) -> Void) throws(SettingMismatch) ->
            Void
    ) -> Setting<Whole> {
        let (get, set, holds) = (get, set, holds)
        return Setting<Whole>(
            key: key,
            help: help,
            range: range,
            expectation: expectation,
            fallback: fallback,
            isRare: isRare,
            get: { part($0).flatMap(get) },
            set: { whole, value throws(SettingMismatch) in
                try change(&whole) { root throws(SettingMismatch) in try set(&root, value) }
            },
            holds: { part($0).map(holds) ?? true }
        )
    }
}
