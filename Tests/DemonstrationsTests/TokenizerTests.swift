@testable import Demonstrations
import Testing

/// Instructions in any script are split into words, and ASCII instructions have the same words as before.
@Suite struct TokenizerTests {
    /// The tokenizer of commit b118d57, whose words are the runs of a to z and 0 to 9.
    private static func before(_ text: String, count: Int, vocabulary: Int) -> [Int32] {
        let words = Array(text.lowercased().utf8).split { !(48...57).contains($0) && !(97...122).contains($0) }
        let ids = words.prefix(count).map { word in
            Int32(1 + word.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } % UInt32(vocabulary - 1))
        }
        return ids + [Int32](repeating: 0, count: count - ids.count)
    }

    @Test func textsInASCIIHaveTheSameIdsAsBefore() {
        var texts = [
            "Push and open a window", "Rotate the faucet counter-clockwise", "don't, e.g. turn_it 180 degrees!", "",
            "a\tb\r\nc", "+-*/",
        ]
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            texts.append(
                String((0..<12).map { _ in Character(Unicode.Scalar(UInt8.random(in: 32...126, using: &generator))) })
            )
        }
        for text in texts {
            #expect(
                Tokenizer.ids(text, count: 12, vocabulary: 512) == Self.before(text, count: 12, vocabulary: 512),
                "\(text)"
            )
        }
    }

    /// Words from `split_words` and ids from `tokenize` in Examples/pytorch/kumiai_policy.py, with a vocabulary of 512.
    static let inPython: [(String, [String], [Int32])] = [
        ("窓を開ける", ["窓", "を", "開", "ける"], [470, 293, 249, 110]),
        ("引き出しを開けてください", ["引", "き", "出", "しを", "開", "けてください"], [35, 283, 187, 445, 249, 481]),
        ("ページをめくる", ["ページ", "をめくる"], [265, 33]), ("open drawer １", ["open", "drawer", "１"], [286, 381, 202]),
        ("ÖFFNE die Tür", ["öffne", "die", "tür"], [228, 81, 77]), ("press 🔴🔵", ["press", "🔴", "🔵"], [177, 33, 500]),
        ("cafe\u{301}", ["café"], [18]), ("Σίσυφος ΟΔΟΣ", ["σίσυφος", "οδοσ"], [91, 144]),
        ("버튼을 누르세요", ["버튼을", "누르세요"], [172, 289]),
        ("ﾎﾞﾀﾝを押す", ["ﾎﾞﾀﾝ", "を", "押", "す"], [489, 293, 266, 266]), ("हिन्दी बटन", ["हिन्दी", "बटन"], [280, 100]),
        ("90° left – now", ["90", "°", "left", "now"], [282, 83, 124, 502]),
    ]

    @Test(arguments: inPython)
    func wordsOfAnyScriptAreThoseOfPython(text: String, words: [String], ids: [Int32]) {
        #expect(Tokenizer.words(text) == words)
        #expect(Tokenizer.ids(text, count: words.count, vocabulary: 512) == ids)
        #expect(Tokenizer.problem(text, count: words.count) == nil)
    }

    /// Joiners and variation selectors change how a character is drawn, and some keyboards insert them.
    @Test func whatLooksAlikeIsAlike() {
        for (one, other) in [
            ("op\u{200D}en", "open"), ("open\u{FE0F} it", "open it"), ("\u{26A0}\u{FE0F}", "\u{26A0}"),
            ("می\u{200C}خواهم", "میخواهم"),
            ("辻\u{E0100}", "辻"),
        ] {
            #expect(Tokenizer.words(one) == Tokenizer.words(other) && Tokenizer.problem(one, count: 4) == nil, "\(one)")
        }
    }

    @Test(arguments: [
        ("+5", "+"), ("10%", "%"), ("10％ 下げる", "％"), ("－5 度", "－"), ("＃3 ねじ", "＃"), ("Ａ＆Ｂ", "＆"), ("5〜10 mm", "〜"),
        ("1.5 cm", "."),
        ("3/4 turn", "/"), ("5′ long", "′"), ("x:y", ":"), ("a_b", "_"), ("5-10", "-"), ("10–20", "–"),
        ("turn -5", "-"), ("don't. push-button, (it)!", ""),
        ("窓を開ける。", ""), ("step 1: open", ""), ("press 5.", ""),
    ])
    func signsThatMayMeanSomethingAreNamed(text: String, signs: String) {
        #expect(Tokenizer.unseenSigns(text) == signs)
    }

    @Test func whatThePolicyWouldNotSeeIsNamed() {
        for (text, problem) in [
            ("a\0b", "U+0000"), ("a\u{1b}[2J", "U+001B"), ("\u{FEFF}open", "U+FEFF"), ("a\u{AD}b", "U+00AD"),
            ("caf\u{FFFD}", "U+FFFD"),
            ("\u{E000}", "U+E000"), ("、。…", "has no word"), ("", "has no word"), ("a b c d", "would not see c, d"),
            ("窓を開ける", "would not see 開, ける"),
        ] {
            #expect(Tokenizer.problem(text, count: 2)?.contains(problem) == true, "\(text)")
        }
        #expect(Tokenizer.problem("a b", count: 2) == nil)
    }
}
