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
        try SettingProblem.requireNone(file.content.problems, of: file.path)
        return file.content
    }
}

extension SettingProblem {
    /// Throws all problems of a file at once; nothing if there are none.
    static func requireNone(_ problems: [SettingProblem], of path: String) throws {
        guard !problems.isEmpty else { return }
        throw UsageError("\(path): " + problems.map(\.description).joined(separator: "; "))
    }
}
