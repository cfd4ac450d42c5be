/// Words to ids by a hash, without a vocabulary file (FNV-1a, 32 bits).
enum Tokenizer {
    /// Whether the text has words, and no letters that none of them holds: 窓を開ける would be no instruction at all.
    static func understands(_ text: String) -> Bool {
        !words(text).isEmpty && !text.unicodeScalars.contains { !$0.isASCII && $0.properties.isAlphabetic }
    }

    private static func words(_ text: String) -> [ArraySlice<UInt8>] {
        Array(text.lowercased().utf8).split { !(48...57).contains($0) && !(97...122).contains($0) }
    }

    /// The first `count` words of lower-case letters and digits as ids 1 ..< vocabulary; 0 pads the rest.
    static func ids(_ text: String, count: Int, vocabulary: Int) -> [Int32] {
        let ids = words(text).prefix(count).map { word in
            let hash = word.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
            return Int32(1 + hash % UInt32(vocabulary - 1))
        }
        return ids + [Int32](repeating: 0, count: count - ids.count)
    }
}
