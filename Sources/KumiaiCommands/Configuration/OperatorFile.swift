import Settings

/// operator.toml: what an operator's or an auditor's commands need to speak to the coordinator.
struct OperatorFile: RoleFile {
    var coordinator = ""
    var identity = IdentitySection()

    var paths: [(key: String, path: String)] { identity.paths }

    static let name = "operator.toml"
    static let author = "kumiai campaign init"
    static let listing = "kumiai campaign init --help"
    static let title = "An operator, or an auditor, of a Kumiai consortium. Paths count from this file's directory."
    static let draft = OperatorFile()
    static let schema = SettingSchema<OperatorFile>([
        SettingSection {
            Endpoint.setting("coordinator", \.coordinator, help: "The coordinator's address.")
        },
        IdentitySection.section.of(\.identity),
    ])

    /// Writes it into a directory, or keeps one that is there.
    static func write(to directory: String, coordinator: String) throws -> ConfigurationWriter.Outcome {
        _ = try Endpoint(coordinator, key: "--coordinator")
        let path = "\(directory)/\(name)"
        let text = OperatorFile(coordinator: coordinator).template
        return try ConfigurationWriter.write(text, to: path) { (kept: TOMLFile<OperatorFile>) in
            kept.content.coordinator == coordinator ? [] : ["--coordinator \(coordinator)"]
        }
    }
}
