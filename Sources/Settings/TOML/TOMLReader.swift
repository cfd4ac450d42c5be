/// Reads the part of TOML that configurations use: sections, and keys with strings, numbers, truth values and lists.
///
/// Our own, because toml++, the library behind every TOML package for Swift, ends the process at some files that are not
/// TOML at all; the checks that kept those files from it were already this reader.
struct TOMLReader {
    private typealias Problem = TOMLDocument.SyntaxError

    private static let deepestList = 4
    private static let longestKey = 128
    private static let longestWord = 64

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var line = 1
    /// The name of the section that is being read, with its dot.
    private var prefix = ""
    private var result = TOMLDocument()

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private func wrong(_ message: String) -> Problem { Problem(line: line, message: message) }

    // MARK: Lines

    mutating func document() throws(TOMLDocument.SyntaxError) -> TOMLDocument {
        if next == "\u{feff}" {
            throw wrong("the file begins with a byte order mark (BOM): save it as UTF-8 without one")
        }
        while true {
            try blanks(acrossLines: true)
            guard let first = next else { return result }
            if first == "[" { try section() } else { try assignment() }
            try endOfLine()
        }
    }

    private mutating func section() throws(Problem) {
        position += 1
        try blanks()
        let name = try key("the name of a section")
        try blanks()
        guard take("]") else { throw wrong("expected ] after the name of a section") }
        guard result.sections.updateValue(line, forKey: name) == nil else {
            throw wrong("the section [\(name)] occurs twice")
        }
        prefix = name + "."
    }

    private mutating func assignment() throws(Problem) {
        let (first, name) = (line, prefix + (try key("a key")))
        try blanks()
        guard take("=") else {
            throw wrong(next == "." ? "keys with dots are not read here: use a [section]" : "expected = after a key")
        }
        try blanks()
        let value = try value(depth: 0)
        guard result.entries.updateValue(.init(value: value, line: first), forKey: name) == nil else {
            throw Problem(line: first, message: "\(name) occurs twice")
        }
    }

    private mutating func endOfLine() throws(Problem) {
        try blanks()
        guard next == nil || takeNewline() else { throw wrong("expected the end of the line here") }
    }

    // MARK: Keys and values

    private mutating func key(_ what: String) throws(Problem) -> String {
        let start = position
        while let scalar = next, scalar.isASCII,
            scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_" || scalar == "-"
        {
            position += 1
        }
        guard position > start, position - start <= Self.longestKey else {
            throw wrong("expected \(what) here: letters, digits, _ and -")
        }
        return text(start..<position)
    }

    private func text(_ range: Range<Int>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars[range])
        return String(text)
    }

    private mutating func value(depth: Int) throws(Problem) -> TOMLValue {
        switch next {
        case "\"": .text(try string(closing: "\"", escapes: true))
        case "'": .text(try string(closing: "'", escapes: false))
        case "[": .list(try list(depth: depth + 1))
        default: try word()
        }
    }

    private mutating func string(closing: Unicode.Scalar, escapes: Bool) throws(Problem) -> String {
        position += 1
        var text = String.UnicodeScalarView()
        while let scalar = next, scalar != closing {
            guard scalar != "\n", scalar != "\r" else {
                throw wrong("a text ends in the line in which it begins, with \(closing)")
            }
            guard !Self.isOdd(scalar) else {
                throw wrong("write the character \(Self.code(scalar)) as \\u and its code")
            }
            position += 1
            text.append(escapes && scalar == "\\" ? try escape() : scalar)
        }
        guard take(closing) else { throw wrong("a text does not end") }
        return String(text)
    }

    private mutating func escape() throws(Problem) -> Unicode.Scalar {
        let escaped = next
        position += 1
        switch escaped {
        case "b": return "\u{8}"
        case "t": return "\t"
        case "n": return "\n"
        case "f": return "\u{c}"
        case "r": return "\r"
        case "\"", "\\": return escaped!
        case "u": break
        default: throw wrong("\\ stands before one of b t n f r \" \\ or uXXXX")
        }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let scalar = next, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw wrong("expected four hexadecimal digits after \\u")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        guard let scalar = Unicode.Scalar(code) else { throw wrong("\\u names no character") }
        return scalar
    }

    private mutating func list(depth: Int) throws(Problem) -> [TOMLValue] {
        guard depth <= Self.deepestList else { throw wrong("lists are nested more than \(Self.deepestList) deep") }
        position += 1
        var values: [TOMLValue] = []
        try blanks(acrossLines: true)
        while !take("]") {
            values.append(try value(depth: depth))
            try blanks(acrossLines: true)
            guard take(",") else {
                guard take("]") else { throw wrong("expected , or ] in a list") }
                return values
            }
            try blanks(acrossLines: true)
        }
        return values
    }

    /// A number or a truth value.
    private mutating func word() throws(Problem) -> TOMLValue {
        let start = position
        while let scalar = next, scalar.isASCII,
            scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || ["+", "-", ".", "_"].contains(scalar)
        {
            position += 1
        }
        let word = text(start..<min(position, start + Self.longestWord))
        if word.isEmpty, let scalar = next {
            throw wrong("\(Self.code(scalar)) begins no value: expected a \"text\", a number, true, false or a [list]")
        }
        guard position - start < Self.longestWord, let value = Self.value(of: word) else {
            throw wrong("\"\(word)\" is not a value: expected a \"text\", a number, true, false or a [list]")
        }
        return value
    }

    private static func value(of word: String) -> TOMLValue? {
        if word == "true" || word == "false" { return .flag(word == "true") }
        let number = /[+-]?(0|[1-9](_?[0-9])*)(\.[0-9](_?[0-9])*)?([eE][+-]?[0-9]{1,4})?/
        guard let match = word.wholeMatch(of: number) else { return nil }
        let digits = word.filter { $0 != "_" }
        guard match.3 == nil, match.5 == nil else { return Double(digits).map { .number($0) } }
        return Int(digits).map { .integer($0) }
    }

    // MARK: Between them

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func takeNewline() -> Bool {
        if next == "\r", position + 1 < scalars.count, scalars[position + 1] == "\n" { position += 1 }
        guard take("\n") else { return false }
        line += 1
        return true
    }

    /// Spaces, tabs and a comment; with `acrossLines` also what follows in the next lines.
    private mutating func blanks(acrossLines: Bool = false) throws(Problem) {
        while true {
            while next == " " || next == "\t" { position += 1 }
            if next == "#" { try comment() }
            guard acrossLines, takeNewline() else { return }
        }
    }

    private mutating func comment() throws(Problem) {
        while let scalar = next, scalar != "\n" {
            let endsLine = scalar == "\r" && position + 1 < scalars.count && scalars[position + 1] == "\n"
            if endsLine { return }
            guard !Self.isOdd(scalar) else {
                throw wrong(
                    "the character \(Self.code(scalar)) has no place in a configuration"
                )
            }
            position += 1
        }
    }

    /// For error messages: a character that may not be visible.
    private static func code(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let text = "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return scalar.isASCII && scalar.value > 0x20 && scalar.value < 0x7f ? "\(scalar) (\(text))" : text
    }

    /// Control characters, and what Unicode takes for the end of a line.
    private static func isOdd(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "\t" { return false }
        return scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
            || ["\u{2028}", "\u{2029}", "\u{feff}", "\u{fffd}"].contains(scalar)
    }
}
