import Federation
import Foundation
import Testing

/// How a terminal or a log shows untrusted text.
@Suite struct DisplayTextTests {
    @Test(arguments: [
        ("\u{1b}[2J", "\\u{1b}[2J"), ("a\nkumiai: hint: b", "a\\nkumiai: hint: b"), ("a\r\tb", "a\\r\\tb"),
        ("\u{0}\u{7f}", "\\u{0}\\u{7f}"),
        ("\u{9b}31m", "\\u{9b}31m"), ("\u{85}", "\\u{85}"), ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
    ])
    func controlCharactersAreShownAsTheirCodePoints(text: String, shown: String) {
        #expect(DisplayText.escaped(text) == shown)
    }

    @Test(arguments: [
        // Bidirectional overrides, embeddings, isolates and marks.
        "\u{202a}", "\u{202b}", "\u{202c}", "\u{202d}", "\u{202e}", "\u{2066}", "\u{2067}", "\u{2068}", "\u{2069}",
        "\u{200e}",
        "\u{200f}", "\u{61c}",
        // Invisible characters.
        "\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{115f}", "\u{3164}", "\u{ffa0}",
        "\u{2800}", "\u{fe0f}",
        "\u{e0041}",
        // Characters that no font has.
        "\u{e000}", "\u{ffff}",
    ])
    func invisibleAndReorderingCharactersAreShownAsTheirCodePoints(text: String) {
        let value = text.unicodeScalars.first!.value
        #expect(DisplayText.escaped("a\(text)b") == "a\\u{\(String(value, radix: 16))}b")
    }

    @Test(arguments: [
        "大阪 工場", "Zürich", "تورينو", "मुंबई", "a\u{301}", "👍", "−1…1 × 3", "全角\u{3000}空白", "c:\\temp\\u{1b}", "",
    ])
    func writingOfAnyLanguageStays(text: String) { #expect(DisplayText.escaped(text) == text) }

    @Test func escapingTwiceIsEscapingOnce() {
        let once = DisplayText.escaped("a\u{1b}b\nc\u{202e}")
        #expect(DisplayText.escaped(once) == once)
    }

    @Test func escapedJSONReadsAsItDidAndShowsNothingHidden() throws {
        let value = ["na\u{202e}me": "\u{9b}2J \u{e0041} 大阪 😀 \u{2028}"]
        let json = String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
        let escaped = DisplayText.escapedJSON("{\n" + json.dropFirst())
        #expect(!escaped.unicodeScalars.contains { $0 != "\n" && DisplayText.isHidden($0) }, "\(escaped)")
        #expect(
            escaped.contains("\\u202e") && escaped.contains("\\u009b") && escaped.contains("\\udb40\\udc41"),
            "\(escaped)"
        )
        #expect(try JSONDecoder().decode([String: String].self, from: Data(escaped.utf8)) == value)
    }
}
