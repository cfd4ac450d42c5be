import Federation
import Settings

/// plan.toml: a campaign as an operator writes it.
enum PlanFile {
    static let name = "plan.toml"

    static func load(_ path: String) throws -> Plan { try checked(TOMLFile<Plan>(path)) }

    /// - Parameter path: what messages call the text.
    static func parse(_ text: String, path: String) throws -> Plan {
        try checked(TOMLFile<Plan>(text: text, path: path))
    }

    private static func checked(_ file: TOMLFile<Plan>) throws -> Plan {
        try requireNone(file.content.problems, of: file.path)
        return file.content
    }

    /// Throws all of a plan's problems at once.
    static func requireNone(_ problems: [SettingProblem], of path: String) throws {
        guard !problems.isEmpty else { return }
        throw UsageError("\(path): " + problems.map(\.description).joined(separator: "; "))
    }
}
