import Foundation
import TestKit
import Testing

@testable import KumiaiCommands

/// The output of `--help`, completions and mistyped commands.
@Suite struct HelpTests {
    /// The parts of `--experimental-dump-help` that are needed here.
    struct Dump: Decodable {
        struct Command: Decodable {
            struct Argument: Decodable {
                struct Completion: Decodable {
                    let file: Empty?
                    let directory: Empty?
                }
                struct Empty: Decodable {}
                let valueName: String?
                let completionKind: Completion?
            }
            let commandName: String
            let arguments: [Argument]?
            let subcommands: [Command]?
        }
        let command: Command
    }

    private func commands() throws -> [(path: [String], command: Dump.Command)] {
        let outcome = try Shell.run([Shell.kumiai, "--experimental-dump-help"])
        func all(_ command: Dump.Command, _ path: [String]) -> [(path: [String], command: Dump.Command)] {
            [(path, command)] + (command.subcommands ?? []).flatMap { all($0, path + [$0.commandName]) }
        }
        return all(try JSONDecoder().decode(Dump.self, from: Data(outcome.output.utf8)).command, [])
            .filter { !$0.path.contains("help") && !$0.path.contains("read-demonstrations") }
    }

    @Test func aUsageIsWrappedBetweenItsOptions() throws {
        let usage = "USAGE: kumiai x [--add <member/site> ...] --reason <reason> [--config <file>] <campaign>"
        #expect(
            UsageText.wrapped("a\n\(usage)\nb", columns: 42)
                == "a\nUSAGE: kumiai x [--add <member/site> ...]\n       --reason <reason> [--config <file>]\n       <campaign>\nb"
        )
        #expect(UsageText.wrapped(usage, columns: 200) == usage)
        let help = try Shell.run([Shell.kumiai, "campaign", "amend", "--help"])
        #expect(help.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(help.output)")
    }

    @Test func anOptionsHelpIsWrappedBetweenItsWords() {
        #expect(
            UsageText.wrapped("Help:  --days <days>  How long it is valid.", columns: 30)
                == "Help:  --days <days> How long\n       it is valid."
        )
    }

    @Test(arguments: [
        (["pki", "issue", "operator/x", "--days", "-1"], "--days"),
        (["campaign", "init", ".", "--rounds", "-3"], "--rounds"),
        (["policy", "tune", "-c", "-0.5"], "-c"),
    ])
    func aNegativeNumberIsNamed(arguments: [String], option: String) throws {
        let outcome = try Shell.run([Shell.kumiai] + arguments)
        #expect(
            outcome.status == 64 && outcome.error.contains("\(option): expected a number that is not negative"),
            "\(outcome)"
        )
    }

    /// As a path, an empty argument could mean the root directory: a script with an unset variable would write there.
    @Test(arguments: [
        ["adapter", "extract", "a", "b", "--out", ""], ["worker", "init", ""], ["audit", "verify", "", "--ca", "x"],
    ])
    func anEmptyArgumentIsRefused(arguments: [String]) throws {
        let outcome = try Shell.run([Shell.kumiai] + arguments)
        #expect(outcome.status == 64 && outcome.error.contains("an argument is empty"), "\(outcome)")
    }

    @Test func everyPathIsCompletedFromTheDisk() throws {
        let names: Set = ["file", "directory", "path", "copy", "round-and-copy", "out", "ca", "demonstrations"]
        var count = 0
        for (path, command) in try commands() {
            for argument in command.arguments ?? [] {
                guard let name = argument.valueName,
                    names.contains(name) || name.hasSuffix(".toml") || name.hasSuffix(".pem")
                        || name.hasSuffix(".safetensors") || name.hasSuffix(".json")
                else { continue }
                count += 1
                let kind = argument.completionKind
                #expect(kind?.file != nil || kind?.directory != nil, "\(path.joined(separator: " ")): \(name)")
            }
        }
        #expect(count > 40)
    }

    /// If a line is shorter than the window although the next word would fit, it was broken in the source.
    @Test(arguments: [60, 80, 132])
    func textsOfHelpAreWrappedOnce(width: Int) throws {
        for (path, _) in try commands() {
            let help = try Shell.run([Shell.kumiai] + path + ["--help"], environment: ["COLUMNS": "\(width)"]).output
            let overview = help.components(separatedBy: "\nUSAGE:")[0].components(separatedBy: "\n")
            for (line, next) in zip(overview, overview.dropFirst()) {
                #expect(line.count <= max(width, 80), "\(path): \(line)")
                let isText =
                    !line.isEmpty && !line.hasPrefix(" ") && !next.isEmpty && !next.hasPrefix(" ")
                    && !line.hasSuffix(":")
                guard isText, let word = next.split(separator: " ").first else { continue }
                #expect(line.count + 1 + word.count >= width, "\(path): \(line)\n\(next)")
            }
        }
    }

    @Test(arguments: [
        (["campagin", "status"], "did you mean 'kumiai campaign'?"),
        (["campaign", "statsu"], "did you mean 'kumiai campaign status'?"),
        (["audit", "verfiy", "copy"], "did you mean 'kumiai audit verify'?"),
        (["doctor"], "did you mean 'kumiai worker doctor'?"),
        (["help", "campagin"], "did you mean 'kumiai campaign'?"),
        (["status"], "'kumiai coordinator status' or 'kumiai worker status' or 'kumiai campaign status'"),
        (["worker", "xyzzy"], "its commands are init, run, status, doctor"),
        (["frobnicate"], "its commands are demo, coordinator"),
    ])
    func aMistypedCommandIsAnsweredWithWhatWasMeant(arguments: [String], answer: String) throws {
        let outcome = try Shell.run([Shell.kumiai] + arguments)
        #expect(outcome.status == 64 && outcome.error.contains(answer) && outcome.output.isEmpty, "\(outcome)")
        #expect(!outcome.error.contains("read-demonstrations"))
    }

    @Test func wordsThatAreNoCommandsAreLeftToTheParser() {
        for arguments in [
            [], ["--help"], ["--version"], ["help", "campaign"], ["help"], ["campaign"], ["campaign", "--hlep"],
            ["campaign", "open", "staus"],
            ["read-demonstrations", "x"], ["--generate-completion-script", "bash"],
        ] { #expect(CommandSuggestion(arguments, root: Kumiai.self) == nil, "\(arguments)") }
    }

    @Test func editsAreCounted() {
        for (a, b, count) in [
            ("", "abc", 3), ("abc", "", 3), ("audit", "audit", 0), ("campagin", "campaign", 1),
            ("relase", "release", 1), ("kitten", "sitting", 3),
        ] {
            #expect(CommandSuggestion.edits(from: a, to: b) == count)
        }
        #expect(CommandSuggestion.nearest("pik", among: ["pki", "demo"]) == "pki")
        #expect(CommandSuggestion.nearest("zzz", among: ["pki", "demo"]) == nil)
    }
}
