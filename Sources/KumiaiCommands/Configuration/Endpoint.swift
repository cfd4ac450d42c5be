import Foundation
import Settings

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
        guard let colon = text.lastIndex(of: ":"), Self.isNumber(text[text.index(after: colon)...]),
            let port = Int(text[text.index(after: colon)...]),
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

    private static func isNumber(_ text: Substring) -> Bool { text.utf8.allSatisfy { (0x30...0x39).contains($0) } }

    /// A setting whose value is an address.
    static func setting<Root>(
        _ key: String,
        _ path: any WritableKeyPath<Root, String> & Sendable,
        help: String
    ) -> Setting<Root> {
        Setting(key, path, .text("host:port"), help: help)
    }
}
