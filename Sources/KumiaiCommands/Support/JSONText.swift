import Foundation

/// A value as JSON. JSON cannot represent NaN and infinity: such a number becomes null, and `not_finite` lists its path
/// and its value.
struct JSONText {
    let text: String
    /// Dotted paths of the numbers that became null, and their values: NaN, Infinity or -Infinity.
    let notFinite: [(path: String, number: String)]

    init(_ value: some Encodable) throws {
        // Random, so that no string in the value contains it.
        let mark = UUID().uuidString
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "\(mark)Infinity",
            negativeInfinity: "\(mark)-Infinity",
            nan: "\(mark)NaN"
        )
        let data = try encoder.encode(value)
        let encoded = String(decoding: data, as: UTF8.self)
        guard encoded.contains(mark) else {
            (text, notFinite) = (encoded, [])
            return
        }
        notFinite = Self.marked(mark, in: try JSONSerialization.jsonObject(with: data))
        var result = encoded
        for number in ["Infinity", "-Infinity", "NaN"] {
            result = result.replacingOccurrences(of: "\"\(mark)\(number)\"", with: "null")
        }
        text = Self.adding(notFinite, to: result)
    }

    private static func marked(_ mark: String, in value: Any, path: [String] = []) -> [(path: String, number: String)] {
        switch value {
        case let text as String where text.hasPrefix(mark):
            [(path.joined(separator: "."), String(text.dropFirst(mark.count)))]
        case let object as [String: Any]:
            object.sorted { $0.key < $1.key }.flatMap { marked(mark, in: $0.value, path: path + [$0.key]) }
        case let array as [Any]:
            array.enumerated().flatMap { marked(mark, in: $0.element, path: path + ["\($0.offset)"]) }
        default: []
        }
    }

    /// Adds the member to an object; for a list, the numbers are reported on standard error.
    private static func adding(_ numbers: [(path: String, number: String)], to object: String) -> String {
        guard object.hasPrefix("{\n") else { return object }
        let members = numbers.map { "    \(quoted($0.path)) : \(quoted($0.number))" }.joined(separator: ",\n")
        return "{\n  \"not_finite\" : {\n\(members)\n  },\n" + object.dropFirst(2)
    }

    private static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
}
