import TestKit
import Testing

@testable import Settings

/// The part of TOML that configurations use.
struct TOMLTests {
    private func value(_ text: String) throws -> TOMLValue? { try TOMLDocument("a = \(text)").entries["a"]?.value }

    @Test func valuesOfEveryTypeAreRead() throws {
        #expect(try value(#""say \"hi\"\t\\ \u00e9""#) == .text("say \"hi\"\t\\ é"))
        #expect(try value(#"'C:\data'"#) == .text(#"C:\data"#))
        #expect(try value("1_000") == .integer(1000))
        #expect(try value("-7") == .integer(-7))
        #expect(try value("+0.5") == .number(0.5))
        #expect(try value("1e-3") == .number(0.001))
        #expect(try value("5E3") == .number(5000))
        #expect(try value("true") == .flag(true))
        #expect(
            try value("[\n 1, # one\n [2.5], \"x\",\n]") == .list([.integer(1), .list([.number(2.5)]), .text("x")])
        )
        #expect(try value("9223372036854775807") == .integer(.max))
    }

    @Test func keysBelongToTheirSections() throws {
        let document = try TOMLDocument("a = 1 # first\r\n\r\n[s]\r\na = 2\n[ t ]\nb-c = 3")
        #expect(document.entries.mapValues(\.value) == ["a": .integer(1), "s.a": .integer(2), "t.b-c": .integer(3)])
        #expect(document.entries["s.a"]?.line == 4 && document.sections == ["s": 3, "t": 5])
    }

    @Test(arguments: [
        ("a = 1\na = 2", 2, "a occurs twice"), ("[s]\n[s]", 2, "the section [s] occurs twice"),
        ("a = \"x\ny\"", 1, "a text ends in the line"), ("a = \"x", 1, "a text does not end"),
        ("a = 01", 1, "\"01\" is not a value"), ("a = 9223372036854775808", 1, "is not a value"),
        ("a = 1 b = 2", 1, "expected the end of the line"), ("a.b = 1", 1, "keys with dots are not read here"),
        ("[[a]]", 1, "expected the name of a section"), ("a = [[[[[1]]]]]", 1, "nested more than 4 deep"),
        ("a = [1 2]", 1, "expected , or ] in a list"), (#"a = "\x""#, 1, "stands before one of"),
        (#"a = "\ud800""#, 1, "names no character"), ("= 1", 1, "expected a key"), ("a = 1e99999", 1, "is not a value"),
        ("\n\n# ok\na = \u{7}", 4, "U+0007 begins no value"),
        ("a = 1 # \u{1b}", 1, "the character U+001B has no place"), ("a = {}", 1, "{ (U+007B) begins no value"),
        ("\u{feff}a = 1", 1, "byte order mark"),
        ("a = \"\u{0}\"", 1, "write the character U+0000"), ("a = １", 1, "U+FF11 begins no value"),
    ])
    func whatIsNotUnderstoodIsNamedWithItsLine(text: String, line: Int, message: String) {
        #expect {
            try TOMLDocument(text)
        } throws: { error in
            let error = error as? TOMLDocument.SyntaxError
            return error?.line == line && error?.message.contains(message) == true
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let scalars = (0..<Int.random(in: 0...20, using: &generator)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x2100, using: &generator))
            }
            let text = String(String.UnicodeScalarView(scalars))
            for value in [
                TOMLValue.text(text), .integer(.random(in: .min ... .max)), .number(.random(in: -1e9...1e9)),
                .number(Double.random(in: 0...1) * 1e-12), .list([.text(text), .flag(false)]),
            ] {
                #expect(try self.value(value.toml) == value, "\(value.toml)")
            }
        }
    }
}
