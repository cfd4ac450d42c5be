/// Some settings under one heading.
public struct SettingSection<Root>: Sendable {
    /// Empty for those before the first heading.
    public let name: String
    /// What the section is for: the template's comment above its heading.
    public let help: String
    public let settings: [Setting<Root>]
    /// Whether a configuration may leave the whole section out.
    public let isOptional: Bool
    /// Whether this root has the section.
    let isPresent: @Sendable (Root) -> Bool
    /// Gives this root the section, with what its settings start from.
    let begin: @Sendable (inout Root) -> Void

    /// Makes a section of settings.
    ///
    /// - Parameters:
    ///   - name: The heading in a file; empty for the settings before the first heading.
    ///   - help: What the section is for: the template's comment above its heading.
    ///   - isOptional: Whether a configuration may leave the whole section out.
    ///   - settings: Returns the settings, in the order in which they are written and read; each statement is a
    ///     setting.
    public init(
        _ name: String = "",
        help: String = "",
        isOptional: Bool = false,
        @SettingBuilder<Root> _ settings: () -> [Setting<Root>]
    ) {
        self.init(
            name: name,
            help: help,
            settings: settings(),
            isOptional: isOptional,
            isPresent: { _ in true },
            begin: { _ in }
        )
    }

    init(
        name: String,
        help: String,
        settings: [Setting<Root>],
        isOptional: Bool,
        isPresent: @escaping @Sendable (Root) -> Bool,
        begin: @escaping @Sendable (inout Root) -> Void
    ) {
        self.name = name
        self.help = help
        self.settings = settings
        self.isOptional = isOptional
        self.isPresent = isPresent
        self.begin = begin
    }

    /// Returns a setting's key with its section: `section.key`, or `key` before the first heading.
    ///
    /// - Parameter setting: A setting of this section.
    public func path(_ setting: Setting<Root>) -> String { name.isEmpty ? setting.key : "\(name).\(setting.key)" }

    /// Returns the settings whose values are out of range, and what is expected of them.
    ///
    /// - Parameter root: The plan or the configuration to check.
    public func problems(of root: Root) -> [SettingProblem] {
        settings.compactMap { setting in
            setting.problem(of: root).map { SettingProblem(key: path(setting), message: $0) }
        }
    }

    /// Makes the section of a larger root that always has this part.
    ///
    /// - Parameters:
    ///   - part: The path of the part in the larger root.
    ///   - isPresent: Whether the section applies to a part; if not, it is not shown, and the template has it as a
    ///     comment.
    public func of<Whole>(
        _ part: any WritableKeyPath<Whole, Root> & Sendable,
        isPresent: @escaping @Sendable (Root) -> Bool = { _ in true }
    ) -> SettingSection<Whole> {
        SettingSection<Whole>(
            name: name,
            help: help,
            settings: settings.map {
                $0.lifted(get: { $0[keyPath: part] }) { whole, body throws(SettingMismatch) in
                    try body(&whole[keyPath: part])
                }
            },
            isOptional: isOptional,
            isPresent: { isPresent($0[keyPath: part]) },
            begin: { _ in }
        )
    }

    /// Makes the section of a larger root that has this part or not; a configuration may leave the section out.
    ///
    /// - Parameters:
    ///   - part: The path of the part in the larger root; `nil` there if the configuration does not have the section.
    ///   - draft: What the settings start from if the configuration has the section.
    public func of<Whole>(
        optional part: any WritableKeyPath<Whole, Root?> & Sendable,
        draft: Root
    ) -> SettingSection<Whole> where Root: Sendable {
        SettingSection<Whole>(
            name: name,
            help: help,
            settings: settings.map {
                $0.lifted(get: { $0[keyPath: part] }) { whole, body throws(SettingMismatch) in
                    guard var root = whole[keyPath: part] else { return }
                    try body(&root)
                    whole[keyPath: part] = root
                }
            },
            isOptional: true,
            isPresent: { $0[keyPath: part] != nil },
            begin: { $0[keyPath: part] = draft }
        )
    }
}

/// Makes a list of settings of the statements of a closure, which are checked one at a time.
@resultBuilder
public enum SettingBuilder<Root> {
    /// Makes a list of the setting of one statement.
    ///
    /// - Parameter setting: The statement's value.
    public static func buildExpression(_ setting: Setting<Root>) -> [Setting<Root>] { [setting] }
    /// Makes one list of the lists of all statements, in their order.
    ///
    /// - Parameter settings: The statements' lists.
    public static func buildBlock(_ settings: [Setting<Root>]...) -> [Setting<Root>] { settings.flatMap(\.self) }
}
