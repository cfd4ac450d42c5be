/// Reads options and reports what is wrong with them.
struct PEFTOptionReader {
    let json: JSONValue
    let path: String

    init(_ json: JSONValue, path: String) {
        self.json = json
        self.path = path
    }

    func wrong(_ name: String, _ expected: String, hint: String = "") -> PEFTError {
        PEFTError("\(path): \(name) is \(json[name]?.excerpt ?? "missing"); expected \(expected)", hint: hint)
    }

    func refused(_ name: String, _ value: JSONValue) -> PEFTError {
        PEFTError(
            "\(path): \(name) is \(value.excerpt); this version cannot merge an adapter with that option",
            hint: "merge it with PEFT, or train an adapter without \(name)"
        )
    }

    func flag(_ name: String) throws -> Bool {
        switch json[name] ?? .null {
        case .null: false
        case .boolean(let value): value
        default: throw wrong(name, "true or false")
        }
    }

    func rank(_ name: String, _ value: JSONValue?, atMost limit: Int) throws -> Int {
        guard let rank = value?.integer, (1...limit).contains(rank) else {
            throw PEFTError(
                "\(path): \(name) is \(value?.excerpt ?? "missing"); expected a whole number from 1 to \(limit)"
            )
        }
        return rank
    }

    func finite(_ name: String, _ value: JSONValue?) throws -> Double {
        guard let number = value?.double, number.isFinite else {
            throw PEFTError("\(path): \(name) is \(value?.excerpt ?? "missing"); expected a finite number")
        }
        return number
    }

    /// Reads an object whose keys are module names.
    func patterns(_ name: String) throws -> [(name: String, value: JSONValue)] {
        guard let value = json[name], value != .null else { return [] }
        guard let members = value.object else { throw wrong(name, "an object with a value for each module") }
        for member in members { try requireName(name, member.name) }
        return members
    }

    /// Reads a list of module names; empty if it is absent, null or empty.
    func names(_ name: String) throws -> [String] {
        guard let value = json[name], value != .null else { return [] }
        guard let values = value.array, values.allSatisfy({ $0.string != nil }) else {
            throw wrong(name, "a list of modules' names")
        }
        return try values.compactMap(\.string).map {
            try requireName(name, $0)
            return $0
        }
    }

    /// Throws if the name is a regular expression: PEFT accepts them in many places, but this reader accepts only
    /// names.
    func requireName(_ option: String, _ name: String) throws {
        guard !name.isEmpty, !name.contains(where: { #"\[](){}*+?^$|"#.contains($0) }) else {
            throw PEFTError(
                """
                \(path): \(option) has \(JSONValue.string(name).excerpt), which is a regular expression; expected a \
                module's name
                """,
                hint: "list the names of the modules instead"
            )
        }
    }
}

extension JSONValue {
    /// The value's text, shortened and without control characters.
    var excerpt: String {
        let text: String =
            switch self {
            case .null: "null"
            case .boolean(let value): "\(value)"
            case .number(let number): number
            case .string(let string): string.jsonQuoted
            case .array(let values):
                "[\(values.prefix(8).map(\.excerpt).joined(separator: ", "))\(values.count > 8 ? ", …" : "")]"
            case .object(let members):
                "{\(members.prefix(4).map { "\($0.name.jsonQuoted): \($0.value.excerpt)" }.joined(separator: ", "))\(members.count > 4 ? ", …" : "")}"
            }
        return text.count > 80 ? "\(text.prefix(80))…" : text
    }
}
