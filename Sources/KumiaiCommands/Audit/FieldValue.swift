import Settings

/// The value of an entry's field in JSON: of a plan's settings, numbers and switches as such; of all others, the text.
enum FieldValue: Encodable {
    case text(String)
    case integer(Int)
    case number(Double)
    case flag(Bool)

    /// - Parameter setting: The value of the plan's setting; `nil` for another field.
    init(_ text: String, setting: TOMLValue?) {
        switch setting {
        case .integer(let value)?: self = .integer(value)
        case .number(let value)?: self = .number(value)
        case .flag(let value)?: self = .flag(value)
        case .text?, .list?, nil: self = .text(text)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .flag(let value): try container.encode(value)
        }
    }
}
