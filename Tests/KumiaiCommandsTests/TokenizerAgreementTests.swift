@testable import Demonstrations
import Tensors
import Foundation
import TestKit
import Testing

/// The policy in PyTorch splits an instruction into the same words as the trainer.
@Suite struct TokenizerAgreementTests {
    private struct Reading: Decodable {
        let words: [String]
        let ids: [Int32]
    }

    /// Scripts with and without spaces, marks, symbols, and what is refused.
    static let pieces = [
        "open", "Push", "90", "don't", " ", ", ", "\t", "—", "。", "・", "窓", "立方体", "を", "開ける", "ページ", "ﾎﾞﾀﾝ", "１",
        "ＯＰＥＮ", "é", "e\u{301}",
        "Ö", "ß", "İ",
        "ΟΔΟΣ", "кнопка", "버튼", "हिन्दी", "اضغط", "ปุ่ม", "🔴", "👍🏽", "°", "→", "½", "々", "ー", "\u{200D}", "\u{200C}",
        "\u{FE0F}", "\u{E0100}", "\u{180B}", "\u{FEFF}",
        "\0", "\u{7}", "\u{FFFD}",
        "\u{E000}", "\u{301}", "\u{34F}", "\u{3164}", "\u{2800}",
    ]

    @Test func pythonReadsTheSameWordsAndRefusesTheSame() throws {
        var generator = SeededGenerator(seed: 7)
        let texts =
            Self.pieces
            + (0..<500).map { _ in (0..<4).map { _ in Self.pieces.randomElement(using: &generator)! }.joined() }
        let input = String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
        let outcome = try Shell.run(
            [Shell.python, Repository.path("Tests/KumiaiCommandsTests/Python/split_words.py")],
            input: input
        )
        try #require(outcome.status == 0, "\(outcome.error)")
        let readings = try JSONDecoder().decode([Reading?].self, from: Data(outcome.output.utf8))
        try #require(readings.count == texts.count)
        for (text, reading) in zip(texts, readings) {
            // Python accepts an empty instruction, for a robot without instructions.
            guard !Tokenizer.words(text).isEmpty || reading == nil else { continue }
            #expect((Tokenizer.problem(text, count: 12) == nil) == (reading != nil), "\(text.debugDescription)")
            guard let reading else { continue }
            #expect(Tokenizer.words(text) == reading.words, "\(text.debugDescription)")
            #expect(Tokenizer.ids(text, count: 12, vocabulary: 512) == reading.ids, "\(text.debugDescription)")
        }
    }
}
