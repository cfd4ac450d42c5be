import ArgumentParser
import Federation
import Foundation

extension Kumiai {
    /// Parses the command line, runs its command, and returns the exit code.
    ///
    /// In place of `ArgumentParser`'s own `main`, which prints with `print`: help on a full disk would be nothing, and
    /// done.
    public static func perform() async -> Int32 {
        let work = Task { await runCommand() }
        // Cancelled, and not ended on the spot: a command cleans up what it began, and stops the processes that it
        // started.
        StandardStream.output.whenBroken { work.cancel() }
        let status = await work.value
        return StandardStream.output.status(after: status)
    }

    private static func runCommand() async -> Int32 {
        if let failure = failure(of: Array(CommandLine.arguments.dropFirst())) {
            failure.report()
            return failure.code.rawValue
        }
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            return ExitCode.success.rawValue
        } catch {
            return report(error)
        }
    }

    /// What is wrong with words of which the parser only says that they are unexpected, or that a value is missing.
    private static func failure(of arguments: [String]) -> Failure? {
        CommandSuggestion(arguments, root: Kumiai.self)?.failure ?? EmptyArgument(arguments)?.failure
            ?? NegativeValue(arguments)?.failure
    }

    /// Prints what the parser has to say: help, the version, completions, or what is wrong with the command line.
    private static func report(_ error: any Error) -> Int32 {
        let code = exitCode(for: error)
        let text = UsageText.wrapped(fullMessage(for: error), columns: 80)
        guard !text.isEmpty else { return code.rawValue }
        if code.isSuccess {
            StandardStream.output.write(trusted: text + "\n")
        } else {
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                StandardStream.error.print("\(line)")
            }
            if JSONOption.isRequested { try? ErrorOutput(code, message(for: error), hint: "see --help").printJSON() }
        }
        return code.rawValue
    }
}
