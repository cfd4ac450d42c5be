import Foundation

/// Instructions in any script to ids by a hash, without a vocabulary file (FNV-1a, 32 bits, over the UTF-8 of each
/// word).
///
/// A text is normalised to NFC and made lower-case. A word is a run of letters, marks and digits; where Han, Hiragana,
/// Katakana and other scripts meet, a word ends, because Japanese has no spaces: 窓を開ける is 窓, を, 開, ける. A symbol outside
/// ASCII is a word of its own. Spaces, punctuation and ASCII symbols part words. A text in ASCII has the words that it
/// always had. `tokenize` in Examples/pytorch/kumiai_policy.py does the same.
enum Tokenizer {
    /// Why the policy would not see all of the text; `nil` where it does.
    static func problem(_ text: String, count: Int) -> String? {
        let quoted = "the instruction \"\(text.prefix(shownCharacters))\""
        guard text.utf8.count <= maximumBytes else { return "\(quoted) is longer than \(maximumBytes) bytes" }
        let reading = read(text)
        if let scalar = reading.unreadable.first {
            return "\(quoted) holds \(name(scalar)), which is no letter, digit or symbol: remove it"
        }
        guard !reading.words.isEmpty else { return "\(quoted) has no word" }
        guard reading.words.count > count else { return nil }
        let unseen = reading.words.dropFirst(count).prefix(shownWords).joined(separator: ", ")
        return "\(quoted) has \(reading.words.count) words, and the policy reads \(count): it would not see \(unseen)"
    }

    private static let maximumBytes = 4096
    private static let shownCharacters = 64
    private static let shownWords = 8

    private static func name(_ scalar: Unicode.Scalar) -> String {
        let hex = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
    }

    /// Signs that may mean something and that no policy sees, such as those of +5, 10 % and 1.5; in their order, each
    /// once.
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
        // Full-width forms are what they look like.
        let plain = String(character).precomposedStringWithCompatibilityMapping
        if plain.contains(where: "+%‰=<>&@#$^~〜*_/\\|′″".contains) { return true }
        // 5-10, 1.5, 3:4.
        if before.isNumber, after.isNumber { return true }
        let isWithin = before.isLetter || before.isNumber
        if plain == ":" { return isWithin && (after.isLetter || after.isNumber) }
        return scalar.properties.generalCategory == .dashPunctuation && after.isNumber && !isWithin
    }

    static func words(_ text: String) -> [String] { read(text).words }

    /// The first `count` words as ids 1 ..< vocabulary; 0 pads the rest.
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

    /// NFC and lower-case, a scalar at a time: no rule depends on the language of the machine, or on the letters
    /// around.
    private static func normalised(_ text: String) -> String.UnicodeScalarView {
        var lower = String.UnicodeScalarView()
        for scalar in text.precomposedStringWithCanonicalMapping.unicodeScalars {
            lower.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
        }
        return String(lower).precomposedStringWithCanonicalMapping.unicodeScalars
    }
}
