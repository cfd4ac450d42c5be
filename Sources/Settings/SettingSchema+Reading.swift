/// A configuration that has not the settings that were declared.
public struct SettingsError: Error, Equatable, Sendable {
    /// All that is wrong, so that it can be fixed at once.
    public let problems: [SettingProblem]
    /// Sections and keys that are not declared.
    public let unknown: [String]
}

extension Configurable {
    /// Reads a configuration.
    ///
    /// - Parameter document: The keys and values of the file; a setting that it lacks gets its default.
    /// - Throws: ``SettingsError`` with all that is missing, unknown or of another type. Ranges are not checked.
    public init(_ document: TOMLDocument) throws(SettingsError) {
        var reading = SettingsReading(Self.schema, Self.draft, document)
        for section in Self.schema.sections { reading.read(section) }
        guard reading.problems.isEmpty, reading.unknown.isEmpty else {
            throw SettingsError(problems: reading.problems, unknown: reading.unknown.sorted())
        }
        self = reading.root
    }
}

/// A configuration on its way into a root.
private struct SettingsReading<Root> {
    private(set) var root: Root
    private(set) var problems: [SettingProblem] = []
    let unknown: [String]
    private let document: TOMLDocument

    init(_ schema: SettingSchema<Root>, _ draft: Root, _ document: TOMLDocument) {
        root = draft
        self.document = document
        let keys = Set(schema.sections.flatMap { section in section.settings.map(section.path) })
        let names = Set(schema.sections.map(\.name))
        let foreign = document.sections.keys.filter { !names.contains($0) }
        unknown =
            foreign
            + document.entries.keys.filter { key in
                !keys.contains(key) && !foreign.contains { key.hasPrefix($0 + ".") }
            }
    }

    mutating func read(_ section: SettingSection<Root>) {
        if section.isOptional {
            guard document.sections[section.name] != nil else { return }
            section.begin(&root)
        }
        let before = problems.count
        for setting in section.settings { read(setting, section.path(setting), isSound: problems.count == before) }
    }

    /// - Parameter isSound: Whether the settings before it could be read: what applies may depend on them.
    private mutating func read(_ setting: Setting<Root>, _ path: String, isSound: Bool) {
        let applies = setting.get(root) != nil
        switch (document.entries[path]?.value, applies) {
        case (let value?, true): set(setting, value, path)
        case (.some, false): if isSound { addProblem(path, "does not apply here: remove it") }
        case (nil, true):
            guard let fallback = setting.fallback else {
                return addProblem(path, "is missing; expected \(setting.expectation)")
            }
            set(setting, fallback, path)
        case (nil, false): break
        }
    }

    private mutating func set(_ setting: Setting<Root>, _ value: TOMLValue, _ path: String) {
        do { try setting.set(&root, value) } catch { addProblem(path, error.message) }
    }

    private mutating func addProblem(_ path: String, _ message: String) {
        let line = document.entries[path].map { " (line \($0.line))" } ?? ""
        problems.append(SettingProblem(key: path, message: message + line))
    }
}
