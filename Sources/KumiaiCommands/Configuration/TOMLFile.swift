import Foundation
import Settings
import Tensors

/// A file of declared settings, checked as a whole: unknown keys are errors.
struct TOMLFile<Content: Configurable> {
    let content: Content
    let path: String

    static var maximumBytes: Int { 1 << 20 }

    /// `path`: the file, or, of a role's configuration, also the directory that has it.
    init(_ path: String) throws {
        let path = (Content.self as? any RoleFile.Type).map { ConfigurationSearch.file($0.name, at: path) } ?? path
        let bytes: [UInt8]
        do { bytes = try RegularFile.read(path, atMost: Self.maximumBytes) } catch let error as InputFileError {
            throw Self.failure(reading: path, error)
        }
        try self.init(text: String(decoding: bytes, as: UTF8.self), path: path)
    }

    private static func failure(reading path: String, _ error: InputFileError) -> UsageError {
        let reason: String
        switch RegularFile.kind(of: path) {
        case nil: reason = "there is no such file"
        case .file where access(path, R_OK) == 0: return UsageError(error.message, hint: error.hint)
        case .file: reason = "you may not read it"
        case let kind?: reason = "it is \(kind.rawValue); expected a regular file"
        }
        guard let role = Content.self as? any RoleFile.Type else { return UsageError("cannot read \(path): \(reason)") }
        return ConfigurationSearch(for: role).failure(reading: path, reason)
    }

    /// - Parameter path: where the text comes from.
    init(text: String, path: String) throws {
        self.path = path
        do {
            content = try Content(TOMLDocument(text))
        } catch let error as TOMLDocument.SyntaxError {
            throw UsageError("\(path), line \(error.line): \(error.message)")
        } catch let error as SettingsError {
            throw Self.failure(error, path)
        }
    }

    private static func failure(_ error: SettingsError, _ path: String) -> UsageError {
        let unknown = error.unknown.isEmpty ? [] : ["has unknown keys: \(error.unknown.joined(separator: ", "))"]
        let problems = error.problems.map { $0.message.hasPrefix("is ") ? "\($0.key) \($0.message)" : "\($0)" }
        let role = (Content.self as? any RoleFile.Type).map { ", or is this not \($0.name)" } ?? ""
        let listing = "`\(Self.listing)` lists all keys"
        return UsageError(
            "\(path): \((unknown + problems).joined(separator: "; "))",
            hint: unknown.isEmpty ? listing : "is a name misspelt\(role)? \(listing)"
        )
    }

    /// The command that lists the keys.
    private static var listing: String {
        (Content.self as? any RoleFile.Type)?.listing ?? "kumiai campaign settings"
    }

    /// The same file, if all values are in range.
    func checked() throws -> TOMLFile {
        try SettingProblem.requireNone(Content.schema.problems(of: content), of: path)
        return self
    }

    /// A path of the file, which counts from the file's own directory.
    func resolve(_ relative: String) -> String {
        relative.utf8.first == UInt8(ascii: "/")
            ? relative : URL(fileURLWithPath: path).deletingLastPathComponent().appendingPathComponent(relative).path
    }
}
