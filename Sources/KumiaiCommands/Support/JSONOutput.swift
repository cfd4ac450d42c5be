import ArgumentParser
import Foundation

/// `--json`, on all commands that print.
struct JSONOption: ParsableArguments {
    @Flag(
        name: .customLong("json"),
        help:
            """
            Print one JSON object on standard output; if the command fails: {\"error\": {\"code\", \"exit\", \"hint\", \
            \"message\"}}.
            """
    )
    var isOn = false

    /// Whether --json was given. Needed for errors even if the command line could not be parsed.
    static var isRequested: Bool { CommandLine.arguments.dropFirst().prefix { $0 != "--" }.contains("--json") }
}

extension Encodable {
    /// One object with sorted snake_case keys.
    func printJSON() throws {
        let text = try JSONText(self)
        for (path, number) in text.notFinite {
            Terminal.printNotice("\(path) is \(number), which JSON represents as null")
        }
        Terminal.printJSON(text.text)
    }
}

/// An error as `--json` prints it.
struct ErrorOutput: Encodable {
    struct Body: Encodable {
        /// failed, tampered, unreachable, refused, configuration or usage
        let code: String
        /// The exit code.
        let exit: Int32
        let message: String
        /// Absent if there is none.
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
