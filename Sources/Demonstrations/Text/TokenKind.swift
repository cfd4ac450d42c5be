/// How the tokenizer treats a Unicode scalar.
enum TokenKind: Equatable {
    enum Script { case han, hiragana, katakana, other, symbol }

    case letter(Script)
    /// Part of the same word as the scalar before it.
    case mark
    /// Ignored, because it affects only how the scalar before it is drawn: texts that look the same must have the same
    /// words.
    case invisible
    /// A separate word.
    case symbol
    case separator
    /// Refused: control, private-use, unassigned and invisible characters, and U+FFFD. Texts that look the same could
    /// differ in them.
    case unreadable

    init(_ scalar: Unicode.Scalar) {
        self = scalar.isASCII ? Self.ascii(scalar.value) : Self.other(scalar)
    }

    private static func ascii(_ value: UInt32) -> TokenKind {
        switch value {
        case 48...57, 65...90, 97...122: .letter(.other)
        case 9...13, 32...126: .separator
        default: .unreadable
        }
    }

    private static func other(_ scalar: Unicode.Scalar) -> TokenKind {
        switch scalar.value {
        // Joiners, which are used in Persian, in Indic scripts and in emoji; variation selectors.
        case 0x200C, 0x200D, 0x180B...0x180D, 0x180F, 0xFE00...0xFE0F, 0xE0100...0xE01EF: return .invisible
        // The Japanese long-vowel marks.
        case 0x30FC, 0xFF70: return .mark
        // The replacement character, which decoders insert for invalid bytes.
        case 0xFFFD: return .unreadable
        // Invisible letters, marks and symbols: the grapheme joiner, the Hangul fillers, the blank Braille pattern.
        case 0x034F, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0: return .unreadable
        default: break
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber,
            .otherNumber:
            return .letter(script(scalar.value))
        case .nonspacingMark, .spacingMark, .enclosingMark: return .mark
        case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: return .symbol
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation,
            .otherPunctuation, .spaceSeparator, .lineSeparator, .paragraphSeparator:
            return .separator
        default: return .unreadable
        }
    }

    private static func script(_ value: UInt32) -> Script {
        switch value {
        case 0x3005...0x3007, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x3FFFF: .han
        case 0x3041...0x309F: .hiragana
        case 0x30A0...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9F: .katakana
        default: .other
        }
    }
}
