/// Makes untrusted text safe to show in a terminal, a log or a table.
///
/// Names, reasons or file attributes written by others may contain characters that move the cursor, start a new line,
/// or change the order in which text is displayed (Unicode Technical Report 36, section 3). They are shown as code
/// points.
public enum DisplayText {
    /// Returns `text` with every hidden character written as its code point: `\n`, `\t`, `\u{1b}`, `\u{202e}`.
    ///
    /// Backslashes are not escaped, so that escaping is idempotent.
    ///
    /// - Parameter text: Text from any source.
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

    /// Returns equivalent JSON without hidden characters, which can occur only in strings and become escapes such as
    /// `\u202e`.
    ///
    /// Line feeds are kept: an encoder writes them only between values and escapes them in strings.
    ///
    /// - Parameter json: Valid JSON, as an encoder writes it.
    public static func escapedJSON(_ json: String) -> String {
        replacingHidden(in: json) { scalar in
            scalar == "\n" ? "\n" : String(scalar).utf16.map { "\\u\(hexadecimal($0))" }.joined()
        }
    }

    /// Whether a scalar is invisible or changes how others are displayed: controls, line separators, bidirectional
    /// overrides and other format characters, fillers, and unassigned code points.
    ///
    /// - Parameter scalar: The Unicode scalar to look up.
    public static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7f }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint || scalar == blankBraille
        }
    }

    /// Is drawn as blank, although its category is symbol.
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
