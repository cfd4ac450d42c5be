import Tensors

/// Reads members of a JSON object; errors name the wrong member.
struct ConfigurationReader {
    private let json: JSONValue
    private let place: String
    private static let maximumTextBytes = 256

    /// Unknown members are refused: if one were ignored, the policy would not be the one that the config describes.
    ///
    /// - Parameter names: The names of all known members.
    init(_ json: JSONValue, in place: String, names: [String]) throws {
        self.json = json
        self.place = place
        guard let object = json.object else { throw ContractError("the model's config: \(place) is not an object") }
        for member in object where !names.contains(member.name) {
            throw wrong(String(member.name.prefix(64)), "is unknown; known names: \(names.joined(separator: ", "))")
        }
    }

    static func wrong(_ name: String, _ what: String) -> ContractError {
        ContractError("the model's config: \(name) \(what)")
    }
    private func wrong(_ name: String, _ what: String) -> ContractError {
        Self.wrong(place.isEmpty ? name : "\(place).\(name)", what)
    }

    func text(_ name: String) throws -> String {
        guard let text = json[name]?.string, text.utf8.count <= Self.maximumTextBytes,
            !text.unicodeScalars.contains(where: { $0.value < 0x20 })
        else {
            throw wrong(name, "is not a text of at most \(Self.maximumTextBytes) bytes without control characters")
        }
        return text
    }

    /// Reads the relative path of a dataset. It must not contain "..", so it cannot leave its group.
    func key(_ name: String) throws -> String {
        let text = try text(name)
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !["", ".", ".."].contains(Substring($0)) }) else {
            throw wrong(name, "is not a valid dataset name")
        }
        return text
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int {
        guard let number = json[name]?.double, let value = Int(exactly: number), range.contains(value) else {
            throw wrong(name, "is missing or outside \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func number(_ name: String) throws -> Float {
        guard let value = json[name]?.double.map({ Float($0) }), value.isFinite else {
            throw wrong(name, "is not a finite number")
        }
        return value
    }

    func deviation(_ name: String) throws -> Float {
        let value = try number(name)
        guard value > 0 else { throw wrong(name, "is not positive") }
        return value
    }

    func numbers(_ name: String) throws -> [Float] {
        try list(name, atMost: Contract.maximumNumbers).map { element in
            guard let value = element.double.map({ Float($0) }), value.isFinite else {
                throw wrong(name, "has an element that is not a finite number")
            }
            return value
        }
    }

    func list(_ name: String, atMost limit: Int) throws -> [JSONValue] {
        guard let values = json[name]?.array, values.count <= limit else {
            throw wrong(name, "is not a list of at most \(limit) elements")
        }
        return values
    }
}
