/// A value of a configuration.
public enum TOMLValue: Equatable, Sendable {
    case text(String)
    case integer(Int)
    case number(Double)
    case flag(Bool)
    case list([TOMLValue])

    /// For error messages.
    var kind: String {
        switch self {
        case .text: "a text"
        case .integer: "a whole number"
        case .number: "a number with decimals"
        case .flag: "true or false"
        case .list: "a list"
        }
    }

    /// As it is written in a file.
    public var toml: String {
        switch self {
        case .text(let text): text.tomlQuoted
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .flag(let value): "\(value)"
        case .list(let values): "[" + values.map(\.toml).joined(separator: ", ") + "]"
        }
    }

    /// For people: a text without quotes.
    public var plain: String {
        switch self {
        case .text(let text): text
        case .list(let values): values.map(\.plain).joined(separator: ", ")
        default: toml
        }
    }
}

/// The value as a type of the language; `nil` if it is of another type.
extension TOMLValue {
    var text: String? { if case .text(let text) = self { text } else { nil } }
    var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    var flag: Bool? { if case .flag(let value) = self { value } else { nil } }

    /// With or without decimals.
    var number: Double? {
        if case .number(let value) = self { value } else { integer.map(Double.init) }
    }

    /// `nil` also if one of the list is no text.
    var texts: [String]? {
        guard case .list(let values) = self else { return nil }
        let texts = values.compactMap(\.text)
        return texts.count == values.count ? texts : nil
    }
}
