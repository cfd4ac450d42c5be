/// The part of TOML that configurations use: sections, and keys with strings, numbers, truth values and lists of them.
///
/// Checked before toml++ reads a file, because that library stops the process at some files that are not TOML at all.
struct TOMLGrammar {
    /// What is wrong, and in which line.
    struct Problem: Error {
        let line: Int
        let message: String
    }

    private static let deepestList = 4
    private static let longestKey = 128

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var line = 1

    static func check(_ text: String) throws(Problem) {
        var grammar = TOMLGrammar(text)
        try grammar.document()
    }

    private init(_ text: String) { scalars = Array(text.unicodeScalars) }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private func wrong(_ message: String) -> Problem { Problem(line: line, message: message) }

    // MARK: Lines

    private mutating func document() throws(Problem) {
        while true {
            try blanks(acrossLines: true)
            guard let first = next else { return }
            if first == "[" { try section() } else { try assignment() }
            try endOfLine()
        }
    }

    private mutating func section() throws(Problem) {
        position += 1
        try blanks()
        try key("the name of a section")
        try blanks()
        guard take("]") else { throw wrong("expected ] after the name of a section") }
    }

    private mutating func assignment() throws(Problem) {
        try key("a key")
        try blanks()
        guard take("=") else { throw wrong("expected = after a key") }
        try blanks()
        try value(depth: 0)
    }

    private mutating func endOfLine() throws(Problem) {
        try blanks()
        guard next == nil || takeNewline() else { throw wrong("expected the end of the line here") }
    }

    // MARK: Keys and values

    private mutating func key(_ what: String) throws(Problem) {
        let start = position
        while let scalar = next, scalar.isASCII,
            scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_" || scalar == "-"
        {
            position += 1
        }
        guard position > start, position - start <= Self.longestKey else {
            throw wrong("expected \(what) here: letters, digits, _ and -")
        }
    }

    private mutating func value(depth: Int) throws(Problem) {
        switch next {
        case "\"": try string(closing: "\"", escapes: true)
        case "'": try string(closing: "'", escapes: false)
        case "[": try list(depth: depth + 1)
        default: try word()
        }
    }

    private mutating func string(closing: Unicode.Scalar, escapes: Bool) throws(Problem) {
        position += 1
        while let scalar = next, scalar != closing {
            guard !Self.isOdd(scalar), scalar != "\n", scalar != "\r" else {
                throw wrong("a text ends in the line in which it begins, with \(closing)")
            }
            position += 1
            if escapes, scalar == "\\" { try escape() }
        }
        guard take(closing) else { throw wrong("a text does not end") }
    }

    private mutating func escape() throws(Problem) {
        let digits: Int
        switch next {
        case "b", "t", "n", "f", "r", "\"", "\\": digits = 0
        case "u": digits = 4
        default: throw wrong("\\ stands before one of b t n f r \" \\ or uXXXX")
        }
        position += 1
        var code: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = next, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw wrong("expected four hexadecimal digits after \\u")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        guard Unicode.Scalar(code) != nil else { throw wrong("\\u names no character") }
    }

    private mutating func list(depth: Int) throws(Problem) {
        guard depth <= Self.deepestList else { throw wrong("lists stand in lists more than \(Self.deepestList) deep") }
        position += 1
        try blanks(acrossLines: true)
        while !take("]") {
            try value(depth: depth)
            try blanks(acrossLines: true)
            guard take(",") else {
                guard take("]") else { throw wrong("expected , or ] in a list") }
                return
            }
            try blanks(acrossLines: true)
        }
    }

    /// A number or a truth value.
    private mutating func word() throws(Problem) {
        let start = position
        while let scalar = next, scalar.isASCII,
            scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || ["+", "-", ".", "_"].contains(scalar)
        {
            position += 1
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars[start..<position].prefix(64))
        let word = String(text)
        guard position - start < 64,
            word.wholeMatch(of: /true|false|[+-]?(0|[1-9](_?[0-9])*)(\.[0-9](_?[0-9])*)?([eE][+-]?[0-9]{1,4})?/) != nil
        else {
            throw wrong("\"\(word)\" is no value: expected a \"text\", a number, true, false or a [list]")
        }
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
                    "the character U+\(String(scalar.value, radix: 16, uppercase: true)) has no place in a configuration"
                )
            }
            position += 1
        }
    }

    /// Control characters, and what Unicode takes for the end of a line.
    private static func isOdd(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "\t" { return false }
        return scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
            || ["\u{2028}", "\u{2029}", "\u{feff}", "\u{fffd}"].contains(scalar)
    }
}
