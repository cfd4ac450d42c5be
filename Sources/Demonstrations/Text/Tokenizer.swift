import Foundation

/// Converts instructions in any script to token ids without a vocabulary file: the id of a word is a hash of its UTF-8
/// (FNV-1a, 32 bits).
///
/// A text is normalised to NFC and converted to lower case. A word is a run of letters, marks and digits. A word also
/// ends between Han, Hiragana, Katakana and other scripts, because Japanese has no spaces: 窓を開ける is 窓, を, 開, ける. A
/// symbol outside ASCII is a separate word. Spaces, punctuation and ASCII symbols separate words. The words of ASCII
/// texts must not change between versions. `tokenize` in Examples/pytorch/kumiai_policy.py does the same.
enum Tokenizer {
    /// The reason why the policy would not see all of the text; `nil` if it sees all of it.
    static func problem(_ text: String, count: Int) -> String? {
        let quoted = "the instruction \"\(text.prefix(shownCharacters))\""
        guard text.utf8.count <= maximumBytes else { return "\(quoted) is longer than \(maximumBytes) bytes" }
        let reading = read(text)
        if let scalar = reading.unreadable.first {
            return "\(quoted) contains \(name(scalar)), which is not a letter, digit or symbol: remove it"
        }
        guard !reading.words.isEmpty else { return "\(quoted) has no word" }
        guard reading.words.count > count else { return nil }
        let unseen = reading.words.dropFirst(count).prefix(shownWords).joined(separator: ", ")
        return "\(quoted) has \(reading.words.count) words, but the policy reads \(count): it would not see \(unseen)"
    }

    private static let maximumBytes = 4096
    private static let shownCharacters = 64
    private static let shownWords = 8

    private static func name(_ scalar: Unicode.Scalar) -> String {
        let hex = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
    }

    /// Returns the characters that may have a meaning but that the tokenizer ignores, such as those in +5, 10 % and
    /// 1.5; each once, in the order of the text.
    static func unseenSigns(_ text: String) -> String {
        var signs: [Character] = []
        let characters = Array(text)
        for (index, character) in characters.enumerated() where !signs.contains(character) {
            let before = index > 0 ? characters[index - 1] : " ",
                after = index + 1 < characters.count ? characters[index + 1] : " "
            if hasMeaning(character, between: before, and: after) { signs.append(character) }
        }
        return signs.map(String.init).joined(separator: " ")
    }

    private static func hasMeaning(_ character: Character, between before: Character, and after: Character) -> Bool {
        guard let scalar = character.unicodeScalars.first, TokenKind(scalar) == .separator, !character.isWhitespace
        else { return false }
        // Full-width forms are treated as the characters that they look like.
        let plain = String(character).precomposedStringWithCompatibilityMapping
        if plain.contains(where: "+%‰=<>&@#$^~〜*_/\\|′″".contains) { return true }
        // For example 5-10, 1.5, 3:4.
        if before.isNumber, after.isNumber { return true }
        let isWithin = before.isLetter || before.isNumber
        if plain == ":" { return isWithin && (after.isLetter || after.isNumber) }
        return scalar.properties.generalCategory == .dashPunctuation && after.isNumber && !isWithin
    }

    static func words(_ text: String) -> [String] { read(text).words }

    /// Returns the ids (1 ..< vocabulary) of the first `count` words, padded with 0.
    static func ids(_ text: String, count: Int, vocabulary: Int) -> [Int32] {
        let ids = words(text).prefix(count).map { word in
            let hash = word.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
            return Int32(1 + hash % UInt32(vocabulary - 1))
        }
        return ids + [Int32](repeating: 0, count: count - ids.count)
    }

    // MARK: Words

    private static func read(_ text: String) -> (words: [String], unreadable: [Unicode.Scalar]) {
        var words: [String] = []
        var unreadable: [Unicode.Scalar] = []
        var word = String.UnicodeScalarView()
        var script: TokenKind.Script?
        func end() {
            if !word.isEmpty { words.append(String(word)) }
            word = String.UnicodeScalarView()
            script = nil
        }
        for scalar in normalised(text) {
            switch TokenKind(scalar) {
            case .letter(let other):
                if script != other { end() }
                word.append(scalar)
                script = other
            case .mark:
                word.append(scalar)
                script = script ?? .other
            case .invisible: break
            case .symbol:
                end()
                word.append(scalar)
                script = .symbol
            case .separator:
                end()
            case .unreadable:
                end()
                unreadable.append(scalar)
            }
        }
        end()
        return (words, unreadable)
    }

    /// Converts to NFC and lower case, scalar by scalar, so that the result depends neither on the machine's locale nor
    /// on neighbouring letters.
    private static func normalised(_ text: String) -> String.UnicodeScalarView {
        var lower = String.UnicodeScalarView()
        for scalar in text.precomposedStringWithCanonicalMapping.unicodeScalars {
            lower.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
        }
        return String(lower).precomposedStringWithCanonicalMapping.unicodeScalars
    }
}
