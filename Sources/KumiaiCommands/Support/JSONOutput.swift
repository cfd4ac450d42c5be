import ArgumentParser
import Foundation

/// `--json` on everything that prints.
struct JSONOption: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print one JSON object on standard output.")
    var isOn = false
}

extension Encodable {
    /// One object with sorted snake_case keys.
    func printJSON() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        Terminal.print(String(decoding: try encoder.encode(self), as: UTF8.self))
    }
}
