/// The columns that a text takes in a terminal (Unicode Standard Annex #11: wide and fullwidth characters take two).
extension String {
    var columns: Int { reduce(0) { $0 + $1.columns } }

    /// Cut to `limit` columns; an ellipsis replaces the rest.
    func cut(toColumns limit: Int) -> String {
        guard limit > 0 else { return "" }
        guard columns > limit else { return self }
        var kept = "", used = 0
        for character in self {
            guard used + character.columns < limit else { break }
            kept.append(character)
            used += character.columns
        }
        return kept + "…"
    }
}

extension Character {
    /// 0 for a combining mark alone; an emoji of several scalars takes two.
    var columns: Int {
        var total = 0, isJoined = false
        for scalar in unicodeScalars {
            if isJoined {
                isJoined = false
            } else if scalar == "\u{200D}" {
                isJoined = true
            } else if scalar == "\u{FE0F}" {
                total = max(total, 2)
            } else if !(scalar.properties.isEmojiModifier && total > 0) {
                total += scalar.columns
            }
        }
        return total
    }
}

extension Unicode.Scalar {
    fileprivate var columns: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        // Hangul vowels and final consonants combine with the consonant before them.
        if (0x1160...0x11FF).contains(value) { return 0 }
        let isFlag = (0x1F1E6...0x1F1FF).contains(value)
        if properties.isEmojiPresentation && !isFlag { return 2 }
        return Self.wide.contains { $0.contains(value) } ? 2 : 1
    }

    /// Blocks of wide and fullwidth characters (EastAsianWidth.txt); emoji are recognised by their own property.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3,
        0xF900...0xFAFF,
        0xFE10...0xFE19, 0xFE30...0xFE6B, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18D08, 0x1AFF0...0x1B2FB,
        0x1D300...0x1D376,
        0x1F200...0x1F265, 0x20000...0x3FFFD,
    ]
}
