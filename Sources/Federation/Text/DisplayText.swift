/// Text from outside as a terminal, a log or a table may show it.
///
/// A name, a reason or a file's attribute that someone else wrote may hold characters that move the cursor, begin
/// another line, or change the order in which others are read (Unicode Technical Report 36, section 3). They are shown
/// as code points.
public enum DisplayText {
    /// `text` with every hidden character written as its code point: `\n`, `\t`, `\u{1b}`, `\u{202e}`.
    ///
    /// A backslash is left as it is, so that escaping a text twice gives what escaping it once gives.
    public static func escaped(_ text: String) -> String {
        replacingHidden(in: text) { scalar in
            switch scalar {
            case "\n": "\\n"
            case "\r": "\\r"
            case "\t": "\\t"
            default: "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
    }

    /// JSON that reads as `json` does and shows no hidden character: they can stand only in strings, as `\u202e`.
    ///
    /// Line feeds stay: an encoder puts them between values, and escapes those in strings itself.
    public static func escapedJSON(_ json: String) -> String {
        replacingHidden(in: json) { scalar in
            scalar == "\n" ? "\n" : String(scalar).utf16.map { "\\u\(hexadecimal($0))" }.joined()
        }
    }

    /// Whether a scalar is not seen, or changes how others are seen: controls, line separators, bidirectional overrides
    /// and other format characters, fillers, and what no font knows.
    public static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7f }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint || scalar == blankBraille
        }
    }

    /// Is drawn as nothing, though its category is that of symbols.
    private static let blankBraille: Unicode.Scalar = "\u{2800}"

    private static func replacingHidden(in text: String, _ replacement: (Unicode.Scalar) -> String) -> String {
        guard text.unicodeScalars.contains(where: isHidden) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isHidden(scalar) { result += replacement(scalar) } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    private static func hexadecimal(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
