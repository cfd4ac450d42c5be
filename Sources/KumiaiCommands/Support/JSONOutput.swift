import ArgumentParser
import Foundation

/// `--json` on everything that prints.
struct JSONOption: ParsableArguments {
    @Flag(
        name: .customLong("json"),
        help:
            """
            Print one JSON object on standard output; an error too: {\"error\": {\"code\", \"exit\", \"hint\", \
            \"message\"}}.
            """
    )
    var isOn = false

    /// Whether this process was asked for JSON. Errors need to know it also where the command line could not be parsed.
    static var isRequested: Bool { CommandLine.arguments.dropFirst().prefix { $0 != "--" }.contains("--json") }
}

extension Encodable {
    /// One object with sorted snake_case keys.
    func printJSON() throws {
        let text = try JSONText(self)
        for (path, number) in text.notFinite { Terminal.note("\(path) is \(number), and null in the JSON") }
        Terminal.printJSON(text.text)
    }
}

/// An error as `--json` prints it.
struct ErrorOutput: Encodable {
    struct Body: Encodable {
        /// failed, tampered, unreachable, refused, configuration or usage
        let code: String
        /// What the program ends with.
        let exit: Int32
        let message: String
        /// Absent where there is none.
        let hint: String?
    }

    let error: Body

    init(_ code: ExitCode, _ message: String, hint: String = "") {
        error = Body(
            code: ExitStatus.name(of: code),
            exit: code.rawValue,
            message: message,
            hint: hint.isEmpty ? nil : hint
        )
    }
}
