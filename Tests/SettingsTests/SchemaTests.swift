import Testing

@testable import Settings

/// Everything that follows from a declaration.
struct SchemaTests {
    private enum Mode: String, CaseIterable, Sendable { case plain, fancy }

    private struct Part: Equatable, Sendable {
        var size = 0
    }

    private struct Root: Configurable, Equatable {
        var name = ""
        var rate = 0.0
        var mode = Mode.plain
        /// Of `fancy` only.
        var sparkle: Int?
        var part: Part?

        static let draft = Root()
        static let schema = SettingSchema<Root>([
            SettingSection {
                Setting("name", \.name, .text("at most 4 letters") { $0.count <= 4 }, help: "What it is called.")
                Setting("rate", \.rate, .number(.above(0, to: 1)), default: 0.5, isRare: true, help: "How fast.")
                Setting(
                    "mode",
                    .choice,
                    get: { $0.mode },
                    set: { root, mode in
                        root.mode = mode
                        root.sparkle = mode == .fancy ? 0 : nil
                    },
                    default: .plain,
                    help: "How."
                )
                Setting("sparkle", \.sparkle, ifAny: .integer(1...9), help: "fancy: how much.")
            },
            SettingSection<Part>("part", help: "A part.") {
                Setting("size", \.size, .integer(1...3), help: "")
            }
            .of(optional: \.part, draft: Part()),
        ])
    }

    private func read(_ text: String) throws -> Root { try Root(TOMLDocument(text)) }

    private func error(_ text: String) throws -> SettingsError? {
        do {
            _ = try read(text)
            return nil
        } catch let error as SettingsError { return error }
    }

    @Test func whatIsNotGivenHasItsDefault() throws {
        #expect(try read("name = \"a\"") == Root(name: "a", rate: 0.5))
        let whole = try read("name = \"a\"\nrate = 1\nmode = \"fancy\"\nsparkle = 3\n[part]\nsize = 2")
        #expect(whole == Root(name: "a", rate: 1, mode: .fancy, sparkle: 3, part: Part(size: 2)))
    }

    @Test func allThatIsWrongIsSaidAtOnce() throws {
        let found = try #require(
            try error("rate = true\nmode = \"odd\"\nsparkle = 1\ntypo = 1\n[part]\n[other]\nx = 1")
        )
        #expect(found.unknown == ["other", "typo"])
        #expect(
            found.problems.map(\.description) == [
                "name: is missing; expected a text: at most 4 letters",
                "rate: is true or false; expected a number: more than 0 and at most 1 (line 1)",
                // Whether sparkle applies depends on the mode, which is not known.
                "mode: \"odd\" is none of plain, fancy (line 2)",
                "part.size: is missing; expected a whole number: 1 to 3",
            ]
        )
        #expect(try error("name = \"a\"\nmode = \"fancy\"")?.problems.map(\.key) == ["sparkle"])
        #expect(
            try error("name = \"a\"\n\nsparkle = 1")?.problems.map(\.description) == [
                "sparkle: does not apply here: remove it (line 3)"
            ]
        )
    }

    @Test func rangesAreCheckedOnValuesFromAnywhere() {
        let root = Root(name: "abcde", rate: 0, mode: .fancy, sparkle: 10, part: Part(size: 4))
        #expect(
            Root.schema.problems(of: root).map(\.description) == [
                "name: expected at most 4 letters", "rate: expected more than 0 and at most 1",
                "sparkle: expected 1 to 9", "part.size: expected 1 to 3",
            ]
        )
        #expect(Root.schema.problems(of: Root(name: "a", rate: .nan)).map(\.key) == ["rate"])
    }

    @Test func theTemplateIsReadAsWhatItWasWrittenFrom() throws {
        let example = Root(part: Part(size: 1))
        for root in [
            Root(name: "a\"b", rate: 0.5), Root(name: "c", rate: 0.25, mode: .fancy, sparkle: 3, part: Part(size: 2)),
        ] {
            let text = Root.schema.template(of: root, title: "A title.", example: example)
            #expect(try read(text) == root, "\(text)")
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
        }
        let text = Root.schema.template(of: Root(name: "a", rate: 0.5), title: "A title.", example: example)
        #expect(text.contains("# What it is called.\nname = \"a\"\n") && text.contains("# rate = 0.5\n"))
        #expect(text.contains("# A part.\n# [part]\n# size = 1\n") && !text.contains("sparkle"))
    }

    @Test func fieldsAndTableFollow() {
        let fields = Root.schema.fields(of: Root(name: "a", rate: 1, part: Part(size: 2)))
        #expect(fields.map { "\($0.key) \($0.value)" } == ["name a", "rate 1.0", "mode plain", "part.size 2"])
        #expect(
            Root.schema.markdown.contains("| `sparkle` |  | 1 to 9 | fancy: how much. |")
                && Root.schema.markdown.contains("| `mode` | `\"plain\"` | one of plain, fancy | How. |")
        )
    }

    @Test(arguments: [
        (NumberRange.from(0, to: 1), "0 to 1", [0, 0.5, 1], [-0.1, 1.1]),
        (.from(0, below: 1), "at least 0 and less than 1", [0, 0.9], [1, -1]),
        (.above(0, to: 0.25), "more than 0 and at most 0.25", [0.25, 1e-9], [0, 0.26]),
        (.above(0, to: 100), "more than 0 and at most 100", [1e-300, 100], [0, -1, 1e300]),
    ])
    func aRangeSaysWhatItContains(range: NumberRange, text: String, inside: [Double], outside: [Double]) {
        #expect(range.text == text)
        #expect(inside.allSatisfy(range.contains) && !outside.contains(where: range.contains))
        #expect(!range.contains(.nan) && !range.contains(.infinity))
    }
}
