/// All settings of a plan or of a configuration, in the order in which they are written and read.
public struct SettingSchema<Root>: Sendable {
    public let sections: [SettingSection<Root>]

    /// Makes a schema of sections.
    ///
    /// - Parameter sections: The sections, in the order in which they are written and read.
    public init(_ sections: [SettingSection<Root>]) { self.sections = sections }

    /// Returns the settings whose values are out of range, and what is expected of them.
    ///
    /// - Parameter root: The plan or the configuration to check.
    public func problems(of root: Root) -> [SettingProblem] {
        sections.flatMap { $0.problems(of: root) }
    }

    /// Returns all settings that apply, with their values.
    ///
    /// - Parameter root: The plan or the configuration.
    /// - Returns: The settings in the schema's order, each with its key as `section.key`, or `key` before the first
    ///   section.
    public func values(of root: Root) -> [(key: String, value: TOMLValue)] {
        sections.filter { $0.isPresent(root) }.flatMap { section in
            section.settings.compactMap { setting in
                setting.get(root).map { (section.path(setting), $0) }
            }
        }
    }

    /// Returns all settings that apply, with their values as text for people.
    ///
    /// - Parameter root: The plan or the configuration.
    /// - Returns: The settings in the schema's order, each with its key as `section.key`, or `key` before the first
    ///   section.
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
