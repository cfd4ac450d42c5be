/// All settings of a plan or of a configuration, in the order in which they are written and read.
public struct SettingSchema<Root>: Sendable {
    public let sections: [SettingSection<Root>]

    public init(_ sections: [SettingSection<Root>]) { self.sections = sections }

    /// The settings whose values are out of range, and what is expected of them.
    public func problems(of root: Root) -> [SettingProblem] {
        sections.flatMap { $0.problems(of: root) }
    }

    /// All settings that apply, with their values.
    public func values(of root: Root) -> [(key: String, value: TOMLValue)] {
        sections.filter { $0.isPresent(root) }.flatMap { section in
            section.settings.compactMap { setting in
                setting.get(root).map { (section.path(setting), $0) }
            }
        }
    }

    /// The same for people.
    public func fields(of root: Root) -> [(key: String, value: String)] {
        values(of: root).map { ($0.key, $0.value.plain) }
    }
}

/// What is configured by a file of declared settings.
public protocol Configurable {
    static var schema: SettingSchema<Self> { get }
    /// What reading starts from: every setting of it is set, or stays as it is where the setting has no default and
    /// does not apply.
    static var draft: Self { get }
}
