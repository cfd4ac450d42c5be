/// The conversion between a value in a file and one of the program.
public struct SettingConversion<Value>: Sendable {
    /// The type of the value in a file, for error messages.
    let type: String
    /// What may be given, as it follows "expected"; empty: anything of its type.
    let range: String
    let toml: @Sendable (Value) -> TOMLValue
    /// `nil` if the value has another type.
    let parse: @Sendable (TOMLValue) throws(SettingMismatch) -> Value?
    let holds: @Sendable (Value) -> Bool
}

extension SettingConversion {
    /// What may be given, with its type.
    var expectation: String { range.isEmpty || range == type ? type : "\(type): \(range)" }
}

/// Why a value cannot be taken: a text that follows the setting's key.
struct SettingMismatch: Error {
    let message: String
}

extension SettingConversion where Value == Int {
    /// Any whole number of 64 bits.
    public static var anyInteger: Self {
        Self(
            type: "a whole number",
            range: "a whole number",
            toml: { .integer($0) },
            parse: { $0.integer },
            holds: { _ in true }
        )
    }

    /// Makes the conversion of a whole number.
    ///
    /// - Parameters:
    ///   - range: The numbers that may be given.
    ///   - unit: The unit of the numbers, for people; empty if they have none.
    public static func integer(_ range: ClosedRange<Int>, unit: String = "") -> Self {
        Self(
            type: "a whole number",
            range: "\(range.lowerBound) to \(range.upperBound)" + (unit.isEmpty ? "" : " \(unit)"),
            toml: { .integer($0) },
            parse: { $0.integer },
            holds: range.contains
        )
    }
}

extension SettingConversion where Value == Double {
    /// Makes the conversion of a number with or without decimals.
    ///
    /// - Parameters:
    ///   - range: The numbers that may be given.
    ///   - orZero: Whether 0, which turns something off, may be given as well.
    public static func number(_ range: NumberRange, orZero: Bool = false) -> Self {
        Self(
            type: "a number",
            range: range.text + (orZero ? ", or 0" : ""),
            toml: { .number($0) },
            parse: { $0.number },
            holds: { range.contains($0) || orZero && $0 == 0 }
        )
    }
}

extension SettingConversion where Value == Bool {
    public static var flag: Self {
        Self(
            type: "true or false",
            range: "true or false",
            toml: { .flag($0) },
            parse: { $0.flag },
            holds: { _ in true }
        )
    }
}

extension SettingConversion where Value == String {
    /// Makes the conversion of a text.
    ///
    /// - Parameters:
    ///   - expected: What a text must be, as it follows "expected"; empty if any text may be given.
    ///   - holds: Whether a text may be given.
    public static func text(_ expected: String = "", where holds: @escaping @Sendable (String) -> Bool = { _ in true })
        -> Self
    {
        Self(
            type: "a text",
            range: expected,
            toml: { .text($0) },
            parse: { $0.text },
            holds: holds
        )
    }

    /// A path of the file system, which is not empty.
    public static var path: Self { .text("a path") { !$0.isEmpty && !$0.utf8.contains(0) } }
}

extension SettingConversion where Value == [String] {
    /// Makes the conversion of a list of texts.
    ///
    /// - Parameters:
    ///   - expected: What a list must be, as it follows "expected"; empty if any list may be given.
    ///   - holds: Whether a list may be given.
    public static func texts(
        _ expected: String = "",
        where holds: @escaping @Sendable ([String]) -> Bool = { _ in true }
    ) -> Self {
        Self(
            type: "a list of texts",
            range: expected,
            toml: { .list($0.map(TOMLValue.text)) },
            parse: { $0.texts },
            holds: holds
        )
    }
}

extension SettingConversion where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    /// One of a few words.
    public static var choice: Self {
        let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(
            type: "a text",
            range: "one of \(words)",
            toml: { .text($0.rawValue) },
            parse: { value throws(SettingMismatch) in
                guard let text = value.text else { return nil }
                guard let choice = Value(rawValue: text) else {
                    throw SettingMismatch(message: "\"\(text)\" is none of \(words)")
                }
                return choice
            },
            holds: { _ in true }
        )
    }
}

extension SettingConversion {
    /// Makes the conversion of a text that stands for a value, for example a name.
    ///
    /// - Parameters:
    ///   - expected: What the text must be, as it follows "expected".
    ///   - text: Returns the text of a value.
    ///   - parse: Returns the value of a text; `nil` if it has none, which is an error of reading.
    public static func name(
        _ expected: String,
        text: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String) -> Value?
    ) -> Self {
        Self(
            type: "a text",
            range: expected,
            toml: { .text(text($0)) },
            parse: { value throws(SettingMismatch) in
                guard let text = value.text else { return nil }
                guard let value = parse(text) else { throw SettingMismatch(message: "expected \(expected)") }
                return value
            },
            holds: { _ in true }
        )
    }

    /// Makes the conversion of a list of texts, each of which stands for a value.
    ///
    /// - Parameters:
    ///   - expected: What each text must be, as it follows "is not".
    ///   - text: Returns the text of a value.
    ///   - parse: Returns the value of a text; `nil` if it has none, which is an error of reading.
    public static func names<Element>(
        _ expected: String,
        text: @escaping @Sendable (Element) -> String,
        parse: @escaping @Sendable (String) -> Element?
    ) -> Self where Value == [Element] {
        Self(
            type: "a list of texts",
            range: expected,
            toml: { .list($0.map { .text(text($0)) }) },
            parse: { value throws(SettingMismatch) in
                guard let texts = value.texts else { return nil }
                return try texts.map { text throws(SettingMismatch) in
                    guard let element = parse(text) else {
                        throw SettingMismatch(message: "\"\(text)\" is not \(expected)")
                    }
                    return element
                }
            },
            holds: { _ in true }
        )
    }
}
