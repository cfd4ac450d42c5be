/// operator.toml: what an operator's or an auditor's commands need to speak to the coordinator.
struct OperatorFile: RoleFile {
    let coordinator: String
    let identity: IdentitySection

    static let name = "operator.toml"
    static let author = "kumiai campaign init"

    /// Writes it into a directory, or keeps one that is there.
    static func write(to directory: String, coordinator: String) throws -> ConfigurationWriter.Outcome {
        _ = try Endpoint(coordinator, key: "--coordinator")
        let path = "\(directory)/\(name)"
        return try ConfigurationWriter.write(text(coordinator: coordinator), to: path) {
            (kept: TOMLFile<OperatorFile>) in
            kept.content.coordinator == coordinator ? [] : ["--coordinator \(coordinator)"]
        }
    }

    static func text(coordinator: String) -> String {
        """
        # An operator, or an auditor, of a Kumiai consortium. Paths count from this file's directory. Unknown keys \
        are errors.

        coordinator = \(coordinator.tomlQuoted)

        # PEM files: the consortium's CA, and your certificate and key.
        [identity]
        \(IdentitySection.text)

        """
    }
}
