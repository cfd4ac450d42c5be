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
