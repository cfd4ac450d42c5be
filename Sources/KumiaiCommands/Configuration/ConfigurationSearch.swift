import ArgumentParser
import Foundation
import Settings

/// A file that says who runs a command: operator.toml, worker.toml, coordinator.toml.
protocol RoleFile: Configurable {
    static var name: String { get }
    /// The command that writes it.
    static var author: String { get }
    /// The command that lists its keys.
    static var listing: String { get }
    /// The comment at the top of the file.
    static var title: String { get }
    /// The files and directories that a user of this role needs, with their keys.
    var paths: [(key: String, path: String)] { get }
}

extension RoleFile {
    /// The configuration as a file with comments.
    var template: String {
        Self.schema.template(of: self, title: Self.title + " Unknown keys are errors.", example: self)
    }

    /// The default of `--config`.
    static var defaultPath: String { ConfigurationSearch(for: Self.self).path }

    /// What the environment names; `nil` where it names nothing.
    static var pathInEnvironment: String? {
        let search = ConfigurationSearch(for: Self.self)
        return search.isNamed ? search.path : nil
    }

    /// The file in the current directory; `nil` where there is none.
    static var pathHere: String? { FileManager.default.fileExists(atPath: name) ? name : nil }

    /// What `--help` says of `--config`.
    static var help: ArgumentHelp {
        ArgumentHelp(
            "The configuration; otherwise what \(ConfigurationSearch.variable) names, or \(name) in this directory.",
            valueName: "file"
        )
    }
}

/// Where a command finds its configuration when `--config` does not name it.
struct ConfigurationSearch {
    /// Names a configuration, or a directory that has it.
    static let variable = "KUMIAI_CONFIG"

    private let name: String
    private let author: String
    private let named: String?

    init(for role: any RoleFile.Type, environment: [String: String] = ProcessInfo.processInfo.environment) {
        name = role.name
        author = role.author
        named = environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    var isNamed: Bool { named != nil }

    /// What the environment names, otherwise the file in the current directory.
    var path: String { named.map { Self.file(name, at: $0) } ?? name }

    /// A configuration, or a certificate, is named by its file or by the directory that has it.
    static func file(_ name: String, at path: String) -> String {
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        return exists && isDirectory.boolValue ? (path as NSString).appendingPathComponent(name) : path
    }

    /// Of a configuration that cannot be read: all places that were looked at.
    func failure(reading path: String, _ reason: String) -> UsageError {
        let hint = "name it with --config or in \(Self.variable); `\(author)` writes one"
        guard path == self.path else {
            return UsageError("cannot read the configuration \(path): \(reason)", hint: hint)
        }
        guard let named else {
            return UsageError(
                """
                no configuration was found: --config is not given, \(Self.variable) is not set, and \(name) in \
                \(FileManager.default.currentDirectoryPath) cannot be read: \(reason)
                """,
                hint: hint
            )
        }
        return UsageError(
            "cannot read the configuration \(path), which \(Self.variable)=\(named) names: \(reason)",
            hint: hint
        )
    }
}
