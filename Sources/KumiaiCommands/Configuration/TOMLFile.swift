import Foundation
import TOMLKit
import Tensors

/// A role's TOML file, checked as a whole: unknown keys are errors.
struct TOMLFile<Content: Decodable> {
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

    /// `path`: where the text comes from.
    init(text: String, path: String) throws {
        self.path = path
        do {
            var decoder = TOMLDecoder()
            decoder.strictDecoding = true
            try TOMLGrammar.check(text)
            let table = try TOMLTable(string: text)
            do {
                content = try decoder.decode(Content.self, from: table)
            } catch let error as DecodingError {
                throw UsageError(
                    "\(path): \(Self.text(error, in: table))",
                    hint: "`init` writes all keys with comments"
                )
            }
        } catch let problem as TOMLGrammar.Problem {
            throw UsageError("\(path), line \(problem.line): \(problem.message)")
        } catch let error as UnexpectedKeysError {
            let keys = error.keys.keys.sorted().joined(separator: ", ")
            let role = (Content.self as? any RoleFile.Type).map { ", or is this not \($0.name)" } ?? ""
            throw UsageError(
                "\(path) has unknown keys: \(keys)",
                hint: "is a name misspelt\(role)? `init` writes all keys with comments"
            )
        } catch let error as TOMLParseError {
            throw UsageError("\(path), line \(error.source.begin.line): \(error.description)")
        }
    }

    private static func text(_ error: DecodingError, in table: TOMLTable) -> String {
        func name(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
        switch error {
        case .keyNotFound(let key, let context):
            // The decoder names a key twice, and says of one with another type that it is not there.
            let path =
                context.codingPath.last?.stringValue == key.stringValue
                ? context.codingPath : context.codingPath + [key]
            guard let found = value(at: path.map(\.stringValue), in: table) else { return "\(name(path)) is missing" }
            return "\(name(path)) is \(kind(found)); expected another type"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(name(context.codingPath)) has the wrong type"
        case .dataCorrupted(let context): return "\(name(context.codingPath)): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }

    private static func value(at path: [String], in table: TOMLTable) -> (any TOMLValueConvertible)? {
        guard let first = path.first, let value = table[first] else { return nil }
        guard path.count > 1 else { return value }
        return value.table.flatMap { Self.value(at: Array(path.dropFirst()), in: $0) }
    }

    private static func kind(_ value: any TOMLValueConvertible) -> String {
        switch value.type {
        case .string: "a text"
        case .int: "a whole number"
        case .double: "a number with decimals"
        case .bool: "true or false"
        case .array: "a list"
        case .table: "a section"
        default: "a date or time"
        }
    }

    /// A path of the file, which counts from the file's own directory.
    func resolve(_ relative: String) -> String {
        relative.utf8.first == UInt8(ascii: "/")
            ? relative : URL(fileURLWithPath: path).deletingLastPathComponent().appendingPathComponent(relative).path
    }
}

/// `host:port`
struct Endpoint {
    let host: String
    let port: Int

    init(_ text: String, key: String) throws {
        if let scheme = text.range(of: "://") {
            let rest = text[scheme.upperBound...].prefix { $0 != "/" }
            throw UsageError(
                "\(key) is the web address \"\(text)\"; expected host:port",
                hint:
                    "leave out \(text[..<scheme.upperBound]) and what follows the port, for example \(Self.example(rest))"
            )
        }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port), colon > text.startIndex
        else { throw UsageError("\(key) is \"\(text)\"; expected host:port", hint: "for example 127.0.0.1:7443") }
        host = String(text[..<colon]).trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        guard !host.isEmpty, host.unicodeScalars.allSatisfy(Self.hostCharacters.contains) else {
            throw UsageError(
                "\(key) is \"\(text)\", and \"\(host)\" is no name of a host",
                hint: "for example 127.0.0.1:7443"
            )
        }
        self.port = port
    }

    /// Of names, and of addresses with their zone.
    private static let hostCharacters = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: ".-_:%"))

    private static func example(_ text: Substring) -> String {
        guard !text.isEmpty, text.unicodeScalars.allSatisfy(hostCharacters.contains) else { return "127.0.0.1:7443" }
        return text.contains(":") ? String(text) : "\(text):7443"
    }
}

/// `[identity]`: three PEM files, and the list of revoked certificates where there is one.
struct IdentitySection: Decodable {
    let ca: String
    let certificate: String
    let key: String
    let crl: String?

    /// `nil` where none is named, or "" is.
    func revocations<Content>(of file: TOMLFile<Content>) -> String? {
        crl.flatMap { $0.isEmpty ? nil : file.resolve($0) }
    }

    /// Its lines of a configuration that `init` writes, under the heading.
    static let text = """
        ca = "ca.pem"
        certificate = "certificate.pem"
        key = "key.pem"
        # The CA's list of revoked certificates (kumiai pki revoke), for example "crl.pem"; "" is none. Where there \
        is one, it must
        # be kept up to date: past its end, no certificate is accepted.
        crl = ""
        """
}

/// A number with or without decimals.
struct Decimal: Decodable {
    let value: Double

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let whole = try? container.decode(Int.self) {
            value = Double(whole)
        } else {
            value = try container.decode(Double.self)
        }
    }
}
