/// A JSON value as written in the file: members keep their order, and no name appears twice in an object.
public enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    /// The number's text; read it with ``integer`` or ``double``.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([(name: String, value: JSONValue)])

    /// Whether two values are equal: numbers by their text, so that 1 and 1.0 differ, and objects by their members in
    /// order.
    ///
    /// - Parameters:
    ///   - a: A value.
    ///   - b: Another value.
    public static func == (a: JSONValue, b: JSONValue) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.boolean(let x), .boolean(let y)): x == y
        case (.number(let x), .number(let y)): x == y
        case (.string(let x), .string(let y)): x == y
        case (.array(let x), .array(let y)): x == y
        case (.object(let x), .object(let y)): x.elementsEqual(y) { $0.name == $1.name && $0.value == $1.value }
        default: false
        }
    }

    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
    public var object: [(name: String, value: JSONValue)]? {
        if case .object(let members) = self { members } else { nil }
    }
    public var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }
    /// The value of a number without fraction, exponent or sign.
    public var integer: Int? {
        guard case .number(let text) = self, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    public subscript(name: String) -> JSONValue? { object?.first { $0.name == name }?.value }
}

/// A text that is not valid JSON, or violates a rule of the parser, and the offset of the error.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    public let offset: Int
    public let message: String
    public var description: String { "\(message) at byte \(offset)" }
}
