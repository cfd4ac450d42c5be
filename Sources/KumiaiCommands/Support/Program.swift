import ArgumentParser
import Federation
import Foundation

extension Kumiai {
    /// Parses the command line, runs its command, and returns the exit code.
    ///
    /// In place of `ArgumentParser`'s own `main`, which prints with `print`: help on a full disk would be nothing, and done.
    public static func perform() async -> Int32 {
        let work = Task { await runCommand() }
        // Cancelled, and not ended on the spot: a command cleans up what it began, and stops the processes that it started.
        StandardStream.output.whenBroken { work.cancel() }
        let status = await work.value
        return StandardStream.output.status(after: status)
    }

    private static func runCommand() async -> Int32 {
        // The parser only says that such words are unexpected.
        if let suggestion = CommandSuggestion(Array(CommandLine.arguments.dropFirst()), root: Kumiai.self) {
            suggestion.failure.report()
            return suggestion.failure.code.rawValue
        }
        if let empty = EmptyArgument(Array(CommandLine.arguments.dropFirst())) {
            empty.failure.report()
            return empty.failure.code.rawValue
        }
        // To the parser a minus begins an option: it would say that the value is missing.
        if let negative = NegativeValue(Array(CommandLine.arguments.dropFirst())) {
            negative.failure.report()
            return negative.failure.code.rawValue
        }
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            return ExitCode.success.rawValue
        } catch {
            return report(error)
        }
    }

    /// Prints what the parser has to say: help, the version, completions, or what is wrong with the command line.
    private static func report(_ error: any Error) -> Int32 {
        let code = exitCode(for: error)
        let text = UsageText.wrapped(fullMessage(for: error), columns: 80)
        guard !text.isEmpty else { return code.rawValue }
        if code.isSuccess {
            StandardStream.output.write(trusted: text + "\n")
        } else {
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) { StandardStream.error.print("\(line)") }
            if JSONOption.isRequested { try? ErrorOutput(code, message(for: error), hint: "see --help").printJSON() }
        }
        return code.rawValue
    }
}
